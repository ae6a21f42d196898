//! Recipes survive the picture, and foreign bytes survive nothing worse than an error.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use proptest::prelude::*;

use super::chunks::{chunk, chunks, text_chunk};
use super::*;
use crate::job::{Condition, Draw, Fork, Job, Sampler};
use crate::labels::{LabelImage, class};
use crate::picture::GrayImage;
use crate::picture::{self, RgbImage};

fn recipe(prompt: &str) -> Recipe {
    let mut mask = LabelImage::filled(64, 48, class::HAIR);
    mask.labels[7] = class::SKIN;
    let job = Job {
        draw: Draw {
            prompt: prompt.into(),
            negative: "hat".into(),
            seed: 11,
            ..Draw::default()
        },
        condition: Condition::Mask(mask),
        ..Job::default()
    };
    let model = ModelSummary {
        name: "demo".into(),
        sha256: "ab".repeat(32),
        device: "cpu".into(),
        ..ModelSummary::default()
    };
    Recipe::new(job, &model)
}

fn picture() -> RgbImage {
    RgbImage {
        width: 3,
        height: 2,
        pixels: (0..18).collect(),
    }
}

fn path() -> &'static Path {
    Path::new("o.png")
}

#[test]
fn a_recipe_comes_back_whole() {
    for prompt in ["a man", "", "żółw 肖像 \"quotes\"\n[x|y]", "name: (tuple)"] {
        let bytes = encode(&picture(), &recipe(prompt)).unwrap();
        let found = read_bytes(&bytes, path()).unwrap();
        let expected = Recipe {
            pixels: pixel_hash(&picture()),
            ..recipe(prompt)
        };
        assert_eq!(found.recipe.as_ref(), Some(&expected));
        assert_eq!(expected.made(&picture()), Some(true));
        assert_eq!(expected.made(&RgbImage::filled(3, 2, [0; 3])), Some(false));
        assert_eq!(found.problem, None);
        assert!(found.marked_synthetic);
        let text = |keyword: &str| {
            found
                .texts
                .iter()
                .find(|(key, _)| key == keyword)
                .map(|(_, text)| text.clone())
        };
        assert_eq!(text(PARAMETERS), Some(parameters(&recipe(prompt))));
        assert!(text("Software").unwrap().starts_with("MMFace Studio "));
        assert_eq!(
            picture::read::decode(&bytes, path()).unwrap().to_rgb(),
            picture(),
            "the pixels are untouched"
        );
    }
}

#[test]
fn galleries_find_what_they_look_for() {
    let text = parameters(&recipe("a man\nwith a hat"));
    assert!(text.starts_with("a man with a hat\nNegative prompt: hat\nSteps: 20, Sampler: Euler, CFG scale: 7.5, Seed: 11, Size: 256x256, "));
    assert!(text.contains("Model hash: ababababab, Model: demo, "));
}

#[test]
fn newer_and_senseless_recipes_say_so() {
    let problem = |recipe: Recipe| {
        read_bytes(&encode(&picture(), &recipe).unwrap(), path())
            .unwrap()
            .problem
            .unwrap()
    };
    assert!(
        problem(Recipe {
            recipe: RECIPE_VERSION + 1,
            ..recipe("x")
        })
        .contains("newer program")
    );
    let mut senseless = recipe("x");
    senseless.job.draw.steps = 0;
    assert!(problem(senseless).contains("0 steps"));
}

#[test]
fn other_files_are_refused() {
    assert!(read_bytes(b"", path()).is_err());
    assert!(
        read_bytes(b"\xff\xd8\xff", path())
            .unwrap_err()
            .to_string()
            .contains("no PNG")
    );
    let bare = picture::write::encode_rgb(&picture()).unwrap();
    assert_eq!(read_bytes(&bare, path()).unwrap(), Provenance::default());
}

#[test]
fn the_last_chunk_of_every_png_has_its_known_check_sum() {
    assert!(chunk(*b"IEND", &[]).ends_with(&[0xae, 0x42, 0x60, 0x82]));
}

/// The PNG with a chunk behind its header.
fn with_chunk(png: &[u8], added: &[u8]) -> Vec<u8> {
    // Signature, and a header of 25 bytes.
    [&png[..33], added, &png[33..]].concat()
}

#[test]
fn sharing_keeps_the_mark_and_nothing_else() {
    let full = encode(&picture(), &recipe("a secret prompt")).unwrap();
    let private = chunk(*b"tIME", &[7, 234, 1, 1, 0, 0, 0]);
    let full = with_chunk(
        &full,
        &[private, chunk(*b"gAMA", &[0, 0, 177, 143])].concat(),
    );
    for shared in [
        relabel(&full, Level::Mark, path()).unwrap(),
        encode_as(&picture(), &recipe("a secret prompt"), Level::Mark).unwrap(),
    ] {
        let found = read_bytes(&shared, path()).unwrap();
        assert!(found.marked_synthetic && found.recipe.is_none());
        assert_eq!(found.texts.len(), 1, "only the program's name");
        let text = String::from_utf8_lossy(&shared);
        assert!(!text.contains("secret") && !text.contains("tIME"));
        assert_eq!(
            picture::read::decode(&shared, path()).unwrap().to_rgb(),
            picture()
        );
    }
    for least in [
        relabel(&full, Level::Minimum, path()).unwrap(),
        encode_as(&picture(), &recipe("a secret prompt"), Level::Minimum).unwrap(),
    ] {
        let found = read_bytes(&least, path()).unwrap();
        assert!(found.marked_synthetic && found.texts.is_empty() && found.recipe.is_none());
    }
    let shared = relabel(&full, Level::Mark, path()).unwrap();
    assert!(chunks(&shared).iter().any(|chunk| &chunk.kind == b"gAMA"));
}

#[test]
fn foreign_texts_and_unknown_chunks_survive_a_new_label() {
    let bare = picture::write::encode_rgb(&picture()).unwrap();
    let foreign = [
        text_chunk("prompt", "{\"1\": 2}", false),
        text_chunk(
            XMP,
            "<x><rdf:RDF><rdf:Description mine=\"1\"/></rdf:RDF></x>",
            true,
        ),
        chunk(*b"prVt", b"whatever"),
    ]
    .concat();
    let labelled = relabel(&with_chunk(&bare, &foreign), Level::Recipe, path()).unwrap();
    let found = read_bytes(&labelled, path()).unwrap();
    assert!(found.marked_synthetic);
    assert_eq!(
        found.texts,
        [("prompt".to_owned(), "{\"1\": 2}".to_owned())]
    );
    let text = String::from_utf8_lossy(&labelled);
    assert!(text.contains("mine=\"1\"") && text.contains("prVt"));
    assert_eq!(
        relabel(&labelled, Level::Recipe, path()).unwrap(),
        labelled,
        "a second time changes nothing"
    );
}

#[test]
fn signed_pictures_are_known() {
    let bare = picture::write::encode_rgb(&picture()).unwrap();
    let signed = with_chunk(&bare, &chunk(*b"caBX", b"manifest"));
    assert!(read_bytes(&signed, path()).unwrap().signed);
    assert!(is_signed(&signed) && !is_signed(&bare));
    // A new label is another file: no broken signature is left in it.
    for level in [Level::Recipe, Level::Mark, Level::Minimum] {
        assert!(!is_signed(&relabel(&signed, level, path()).unwrap()));
    }
    let segment = |marker: u8, body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], &length[..], body].concat()
    };
    let jpeg = |boxes: &[u8]| {
        let (begin, plain) = (b"\xff\xd8".to_vec(), segment(0xe0, b"JFIF\0"));
        [begin, plain, segment(0xeb, boxes), segment(0xda, b"c2pa")].concat()
    };
    assert!(is_signed(&jpeg(b"JP\0\x01\0\0\0\x01jumbjumdc2pa")));
    assert!(!is_signed(&jpeg(b"HDR_RI c2pa")));
    assert!(!is_signed(&[]) && !is_signed(b"\xff\xd8\xff\xeb\0\0JPc2pa"));
}

#[test]
fn packed_texts_are_read_and_bombs_are_not() {
    use std::io::Write as _;
    let pack = |text: &[u8]| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    };
    let bare = picture::write::encode_rgb(&picture()).unwrap();
    let z = |text: &[u8]| chunk(*b"zTXt", &[b"Comment\0\0".as_slice(), &pack(text)].concat());
    let i = |text: &[u8]| {
        chunk(
            *b"iTXt",
            &[b"Comment\0\x01\0en\0\0".as_slice(), &pack(text)].concat(),
        )
    };
    for added in [z(b"hello"), i(b"hello")] {
        let found = read_bytes(&with_chunk(&bare, &added), path()).unwrap();
        assert_eq!(found.texts, [("Comment".to_owned(), "hello".to_owned())]);
    }
    // 200 MB of zeros in 200 kB; and a text after it, which is still found.
    let bomb = vec![0; 200 << 20];
    let added = [z(&bomb), text_chunk("Title", "after", false)].concat();
    let found = read_bytes(&with_chunk(&bare, &added), path()).unwrap();
    assert_eq!(found.texts, [("Title".to_owned(), "after".to_owned())]);
}

#[test]
fn hostile_recipes_are_problems_not_crashes() {
    let bare = picture::write::encode_rgb(&picture()).unwrap();
    let deep = [
        "(".repeat(100_000),
        "[".repeat(100_000),
        format!("(recipe:1,extra:{}", "Some(".repeat(100_000)),
        format!("(job:{}", "{".repeat(100_000)),
        "\u{feff}".repeat(1000),
        format!("(recipe: {}", "9".repeat(100_000)),
    ];
    for text in deep {
        let bytes = with_chunk(&bare, &text_chunk(KEYWORD, &text, true));
        let found = read_bytes(&bytes, path()).unwrap();
        let problem = found.problem.expect("a problem");
        assert!(found.recipe.is_none() && problem.len() < 400, "{problem}");
    }
}

#[test]
fn a_damaged_text_is_left_out() {
    let mut bytes = encode(&picture(), &recipe("a man")).unwrap();
    let place = bytes
        .windows(5)
        .position(|window| window == b"a man")
        .unwrap();
    bytes[place] = b'e';
    let found = read_bytes(&bytes, path()).unwrap();
    assert_eq!((found.recipe, found.problem), (None, None));
    assert!(found.marked_synthetic);
}

fn conditions() -> impl Strategy<Value = Condition> {
    let side = 1usize..12;
    prop_oneof![
        Just(Condition::None),
        (
            side.clone(),
            side.clone(),
            prop::collection::vec(0u8..19, 144)
        )
            .prop_map(|(width, height, mut labels)| {
                labels.truncate(width * height);
                Condition::Mask(LabelImage {
                    width,
                    height,
                    labels,
                })
            }),
        (side.clone(), side, prop::collection::vec(any::<u8>(), 144)).prop_map(
            |(width, height, mut pixels)| {
                pixels.truncate(width * height);
                Condition::Sketch(GrayImage {
                    width,
                    height,
                    pixels,
                })
            }
        ),
    ]
}

prop_compose! {
    fn recipes()(
        condition in conditions(),
        prompt in any::<String>(),
        negative in any::<String>(),
        seed in 0..u64::MAX,
        steps in 2usize..900,
        sampler in prop::sample::select(vec![Sampler::Euler, Sampler::Heun, Sampler::DpmPp2M, Sampler::UniPc]),
        guidance in 0.0..100.0f64,
        interval in (0.0..0.5f64, 0.5..1.0f64),
        fork in prop::option::of(prop::collection::vec(-1e30f32..1e30, 0..9)),
        template in prop::option::of(any::<String>()),
        index in any::<usize>(),
        precision in prop::sample::select(vec![Precision::Exact, Precision::Fast]),
    ) -> Recipe {
        let job = Job { draw: Draw { prompt, negative, seed, steps, sampler, guidance, interval, ..Draw::default() }, condition, fork: fork.map(|latent| Fork { step: 1, latent }) };
        Recipe { template, index, precision, ..Recipe::new(job, &ModelSummary::default()) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_recipe_comes_back_exactly(recipe in recipes()) {
        let bytes = encode(&picture(), &recipe).unwrap();
        let found = read_bytes(&bytes, path()).unwrap();
        let expected = Recipe { pixels: pixel_hash(&picture()), ..recipe };
        prop_assert_eq!(found.problem, None);
        prop_assert_eq!(found.recipe, Some(expected));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_bytes(&bytes, path()).ok();
        read_bytes(&with_chunk(&[0; 33], &bytes), path()).ok();
        let text = String::from_utf8_lossy(&bytes);
        let bare = picture::write::encode_rgb(&picture()).unwrap();
        for keyword in [KEYWORD, PARAMETERS, "prompt", "invokeai_metadata"] {
            read_bytes(&with_chunk(&bare, &text_chunk(keyword, &text, true)), path()).ok();
        }
    }

    #[test]
    fn damaged_pictures_do_not_panic(at in 0usize..4000, value: u8, keep in 0usize..4000) {
        let mut bytes = encode(&picture(), &recipe("a man")).unwrap();
        let length = bytes.len();
        bytes[at % length] = value;
        read_bytes(&bytes, path()).ok();
        bytes.truncate(keep % length);
        read_bytes(&bytes, path()).ok();
        relabel(&bytes, Level::Mark, path()).ok();
    }
}
