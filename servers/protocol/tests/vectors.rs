//! The golden vectors and the code hold each other: nothing is there that the code does not make.

#[path = "../examples/vectors.rs"]
#[expect(dead_code, reason = "the example's main writes the vectors; the test only compares")]
mod vectors;

use std::collections::BTreeSet;
use std::fs;

#[test]
fn the_vectors_are_what_the_code_makes() {
    let folder = vectors::folder();
    let mut known = BTreeSet::from(["README.md".to_owned()]);
    for (name, content) in vectors::files() {
        let stored =
            fs::read(folder.join(&name)).unwrap_or_else(|cause| panic!("failed to read `{name}`: {cause}"));
        assert!(stored == content, "`{name}` differs: run the example `vectors` and look at the change");
        known.insert(name);
    }
    let stored: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(stored, known);
}
