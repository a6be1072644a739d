# Strings, arrays and hashes that come and go.
rounds = Integer(ARGV[0])
sum = 0
rounds.times do |round|
  words = (0...20_000).map { |index| "word #{index * round % 977} of a longer line #{index}" }
  groups = words.group_by { |word| word[0, 8] }
  lines = groups.map { |key, members| "#{key}: #{members.sort.join(',')}" }
  sum += lines.sum(&:length)
end
puts sum
