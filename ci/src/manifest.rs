//! What a crate declares that it uses.
//!
//! Only as much of TOML as our own manifests need: section headers, and `name = …` or
//! `name.workspace = true` beneath them.

/// The names under `[section]` of a manifest, in order.
pub fn names(manifest: &str, section: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.trim_end_matches(']') == section;
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_read_from_their_own_section_only() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\n# why\ntokio.workspace = true\n\
                        serde = { version = \"1\" }\n[dev-dependencies]\ninsta.workspace = true\n";
        assert_eq!(names(manifest, "dependencies"), ["tokio", "serde"]);
        assert_eq!(names(manifest, "dev-dependencies"), ["insta"]);
        assert!(names(manifest, "build-dependencies").is_empty());
    }
}
