# A JSON document built, written, read and dropped. Run with PYTHONMALLOC=malloc, so
# that every object comes from malloc.
import json
import sys

rounds = int(sys.argv[1])
length = 0
for number in range(rounds):
    document = {
        "records": [
            {
                "id": index,
                "name": "name %d" % (index * number),
                "tags": ["tag%d" % tag for tag in range(index % 7)],
                "values": [index * 0.5, index + 0.25],
            }
            for index in range(5000)
        ]
    }
    text = json.dumps(document)
    length += len(text)
    again = json.loads(text)
    assert again == document
print(length)
