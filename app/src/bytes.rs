//! Numbers of bytes, for people.

/// In the unit that leaves one to three digits before the point.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [size(999), size(29_400_000), size(2_680_000_000)],
            ["999 B", "29.4 MB", "2.68 GB"]
        );
    }
}
