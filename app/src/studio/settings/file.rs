//! Reading the files of the config folder.

use crate::studio::folders::Folders;

/// Reads a file of the config folder; when it cannot be read, a sentence goes to `problems` and
/// the default takes its place.
pub fn read<T: Default + serde::de::DeserializeOwned>(
    folders: &Folders,
    name: &str,
    problems: &mut Vec<String>,
) -> T {
    let path = folders.config.join(name);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return T::default(),
        Err(error) => {
            problems.push(format!(
                "{}: {error}; the defaults are used",
                path.display()
            ));
            return T::default();
        }
    };
    ron::from_str(&text).unwrap_or_else(|error| {
        // The broken file is kept: a person may have written it.
        let kept = mmface_engine::file::set_aside(&path);
        problems.push(format!(
            "{}: {error}; the defaults are used, the file is kept as {}",
            path.display(),
            kept.display()
        ));
        T::default()
    })
}
