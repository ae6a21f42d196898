//! What lies on the disk.

use std::path::Path;

/// Bytes and number of the files with an ending below a folder.
pub fn files_in(folder: &Path, ending: &str, depth: usize) -> (u64, usize) {
    let mut sum = (0, 0);
    for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(about) = item.metadata() else { continue };
        let path = item.path();
        if about.is_dir() && depth > 0 {
            let inside = files_in(&path, ending, depth - 1);
            sum = (sum.0 + inside.0, sum.1 + inside.1);
        } else if about.is_file() && path.extension().is_some_and(|end| end == ending) {
            sum = (sum.0 + about.len(), sum.1 + 1);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_ending_count_in_folders_too() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("sweep")).expect("a folder");
        for (name, length) in [("a.png", 10), ("sweep/b.png", 5), ("c.txt", 100)] {
            std::fs::write(home.path().join(name), vec![0; length]).expect("a file");
        }
        assert_eq!(files_in(home.path(), "png", 3), (15, 2));
        assert_eq!(files_in(&home.path().join("none"), "png", 3), (0, 0));
    }
}
