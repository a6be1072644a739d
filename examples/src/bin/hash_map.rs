//! A hash map of strings, with hashbrown, on hakmem.

use hakmem_examples::Served;
use hashbrown::HashMap;

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

const ENTRIES: usize = 200_000;

fn main() {
    let served = Served::since_now();
    let mut map: HashMap<String, Vec<usize>> = HashMap::new();
    for number in 0..ENTRIES {
        map.entry(name(number)).or_default().push(number);
    }
    for number in (0..ENTRIES).step_by(2) {
        map.get_mut(&name(number))
            .expect("inserted")
            .push(number + 1);
    }
    // A string and a vector an entry, and the table.
    served.holds(2 * ENTRIES + 1);

    map.retain(|_, numbers| numbers.len() == 2);
    assert_eq!(map.len(), ENTRIES / 2);
    let sum: usize = map.values().flatten().sum();
    assert_eq!(sum, (0..ENTRIES).sum());
    println!("{} entries, their sum is {sum}", map.len());

    drop(map);
    served.returned(10);
}

fn name(number: usize) -> String {
    format!("entry number {number}")
}
