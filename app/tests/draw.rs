//! From the command line to pictures: same seed, same bytes, in any company.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Home;

const QUICK: [&str; 5] = ["--steps", "3", "--guidance", "2", "--quiet"];

fn generate(home: &Home, more: &[&str]) {
    home.ok(&[&["generate"], &QUICK[..], more].concat());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let home = Home::new();
    generate(&home, &["--seed", "9", "--out", "alone.png"]);
    let alone = home.bytes("alone.png");
    generate(
        &home,
        &["--seed", "7", "--num-samples", "4", "--out", "four.png"],
    );
    assert_eq!(home.bytes("four-3.png"), alone, "the third of four");
    for (name, options) in [
        ("one-thread.png", ["--threads", "1"]),
        ("two-threads.png", ["--threads", "2"]),
        ("fast.png", ["--precision", "fast"]),
        ("linear.png", ["--previews", "linear"]),
        ("decoded.png", ["--previews", "vae"]),
    ] {
        generate(
            &home,
            &[&["--seed", "9", "--out", name], &options[..]].concat(),
        );
        assert_eq!(home.bytes(name), alone, "{name}");
    }
    // The other precision keeps the same promise.
    let exact = ["--precision", "exact", "--seed"];
    generate(&home, &[&exact[..], &["9", "--out", "exact.png"]].concat());
    let four = [
        "7",
        "--num-samples",
        "4",
        "--threads",
        "2",
        "--out",
        "exact4.png",
    ];
    generate(&home, &[&exact[..], &four[..]].concat());
    assert_eq!(home.bytes("exact4-3.png"), home.bytes("exact.png"));
    generate(&home, &["--seed", "10", "--out", "other.png"]);
    assert_ne!(home.pixels("other.png"), home.pixels("alone.png"));
}

#[test]
fn without_options_a_template_becomes_portrait_png() {
    let home = Home::new();
    let said = home.ok(&["generate", "--steps", "1"]);
    assert!(said.starts_with("portrait.png (seed "), "{said}");
    assert_eq!(home.files(), ["portrait.png"]);
}

#[test]
fn a_replay_is_identical_and_says_when_it_is_not() {
    let home = Home::new();
    generate(
        &home,
        &[
            "--template",
            "long-waves",
            "--num-samples",
            "2",
            "--negative",
            "hat",
            "--out",
            "o.png",
        ],
    );
    assert_eq!(home.ok(&["replay", "--verify", "o-2.png"]), "identical\n");
    let json = home.ok(&["replay", "--verify", "o-1.png", "--json"]);
    assert!(
        json.lines().any(|line| line.contains("\"identical\":true")),
        "{json}"
    );
    home.ok(&["replay", "o-2.png", "--out", "again.png", "--quiet"]);
    assert_eq!(home.bytes("again.png"), home.bytes("o-2.png"));

    home.add_model("other", None);
    let output = home.run(&["replay", "--verify", "o-1.png", "--model", "absent"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_recipe_is_read_back() {
    let home = Home::new();
    generate(
        &home,
        &["--prompt", "a man, żółty", "--seed", "5", "--out", "o.png"],
    );
    let json: serde_json::Value =
        serde_json::from_str(&home.ok(&["inspect", "o.png", "--json"])).unwrap();
    assert_eq!(json["recipe"]["job"]["draw"]["prompt"], "a man, żółty");
    assert_eq!(json["recipe"]["job"]["draw"]["seed"], 5);
    assert_eq!(json["recipe"]["model"], "tiny");
    assert_eq!(json["recipe"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json["marked_synthetic"], true);
    let text = home.ok(&["inspect", "o.png"]);
    assert!(
        text.contains("Steps: 3, Sampler: Euler, CFG scale: 2, Seed: 5, Size: 64x64"),
        "{text}"
    );
}

#[test]
fn json_is_one_object_a_line() {
    let home = Home::new();
    let said = home.ok(&["generate", "--steps", "2", "--json"]);
    let events: Vec<String> = said
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                .as_str()
                .unwrap()
                .to_string()
        })
        .collect();
    assert_eq!(events, ["loaded", "step", "step", "picture"]);
}

/// R32: only the words differ between cells.
#[test]
fn cells_of_a_sweep_share_their_noise() {
    let home = Home::new();
    let sweep = [
        "sweep",
        "--prompt",
        "a [young|old] man with [red|red|grey] hair",
        "--seed",
        "3",
        "--out",
        "g.png",
    ];
    home.ok(&[&sweep[..], &QUICK[..]].concat());
    assert_eq!(
        home.pixels("g-r1-c1.png"),
        home.pixels("g-r1-c2.png"),
        "equal words, equal pictures"
    );
    assert_ne!(
        home.pixels("g-r1-c1.png"),
        home.pixels("g-r1-c3.png"),
        "other words, another picture"
    );
    generate(
        &home,
        &[
            "--prompt",
            "a old man with grey hair",
            "--seed",
            "3",
            "--out",
            "single.png",
        ],
    );
    assert_eq!(
        home.pixels("single.png"),
        home.pixels("g-r2-c3.png"),
        "a cell is an ordinary picture"
    );
    let index: serde_json::Value = serde_json::from_slice(&home.bytes("g.json")).unwrap();
    assert_eq!((&index["rows"], &index["columns"]), (&2.into(), &3.into()));
    assert_eq!(index["cells"][5]["file"], "g-r2-c3.png");
    assert_eq!(
        index["cells"][5]["words"],
        serde_json::json!(["old", "grey"])
    );
    let told = home.ok(&["inspect", "g.png"]);
    assert!(
        told.contains("Grid of the sweep: a [young|old] man")
            && told.contains("Marked as made by a trained algorithm"),
        "{told}"
    );
    let grid = image::open(home.path("g.png")).unwrap();
    assert!(grid.width() >= 3 * 64 && grid.height() >= 2 * 64);
}

#[test]
fn an_empty_prompt_and_no_condition_are_allowed() {
    let home = Home::new();
    generate(&home, &["--no-condition", "--prompt", "", "--out", "o.png"]);
    assert_eq!(home.files(), ["o.png"]);
}

#[test]
fn a_long_prompt_is_cut_with_a_warning_that_names_the_word() {
    let home = Home::new();
    let prompt: String = (0..5000).map(|word| format!("word{word} ")).collect();
    let output = home.run(&[
        "generate", "--steps", "1", "--prompt", &prompt, "--out", "o.png",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.starts_with("warning: ") && said.contains("word") && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn models_are_listed_verified_and_inspected() {
    let home = Home::new();
    let listed = home.ok(&["models", "list"]);
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("tiny ") && line.ends_with("loads here")),
        "{listed}"
    );
    assert!(
        home.ok(&["models", "verify", "tiny"])
            .contains("as the manifest says")
    );
    let text = home.ok(&["inspect", "tiny"]);
    assert!(text.contains("64 wide, 2 blocks, 4 heads"), "{text}");
    let dit = home.models().join("tiny/dit.safetensors");
    let text = home.ok(&["inspect", &dit.to_string_lossy()]);
    assert!(
        text.contains("an MMFace transformer: 64 wide, 2 blocks"),
        "{text}"
    );
    // One changed byte among the weights is found by its hash.
    let mut bytes = std::fs::read(&dit).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&dit, bytes).unwrap();
    assert_eq!(
        home.run(&["models", "verify", "tiny"]).status.code(),
        Some(1)
    );
}
