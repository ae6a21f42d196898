//! The bundled demo model, as somebody meets it who has just cloned the project.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Home, root};
use image::{GenericImageView as _, Pixel as _};

/// The demo model by its path, so that the home's own small model is not taken.
fn demo() -> String {
    root()
        .join("assets/models/demo")
        .to_string_lossy()
        .into_owned()
}

fn draw(home: &Home, prompt: &str, out: &str) -> image::RgbImage {
    let demo = demo();
    let template = ["generate", "--template", "long-waves", "--model", &demo];
    home.ok(&[
        &template[..],
        &["--prompt", prompt, "--seed", "7", "--out", out],
    ]
    .concat());
    image::open(home.path(out)).unwrap().into_rgb8()
}

fn mean(picture: &image::RgbImage, (left, top, width, height): (u32, u32, u32, u32)) -> [f64; 3] {
    let mut sums = [0f64; 3];
    for (_, _, pixel) in picture.view(left, top, width, height).pixels() {
        for (sum, value) in sums.iter_mut().zip(pixel.to_rgb().0) {
            *sum += f64::from(value) / f64::from(width * height);
        }
    }
    sums
}

/// In `long-waves`, by fractions of the side: the middle of the face, and hair beside it.
fn regions(side: u32) -> [(u32, u32, u32, u32); 2] {
    let box_at = |left: f64, top: f64, width: f64, height: f64| {
        let to = |part: f64| (part * f64::from(side)) as u32;
        (to(left), to(top), to(width), to(height))
    };
    [
        box_at(0.42, 0.55, 0.16, 0.12),
        box_at(0.14, 0.6, 0.08, 0.25),
    ]
}

#[test]
fn a_portrait_has_a_skin_coloured_face_where_the_mask_says_so() {
    let home = Home::new();
    let picture = draw(&home, "a woman with long wavy black hair", "face.png");
    let [face, hair] = regions(picture.width());
    let [red, green, blue] = mean(&picture, face);
    assert!(
        red > green && green > blue,
        "no skin: {red:.0} {green:.0} {blue:.0}"
    );
    let brightness = |region| mean(&picture, region).iter().sum::<f64>() / 3.0;
    assert!(
        brightness(face) > brightness(hair) + 30.0,
        "a face of {:.0} beside black hair of {:.0}",
        brightness(face),
        brightness(hair)
    );
}

#[test]
fn one_word_of_the_prompt_changes_the_hair() {
    let home = Home::new();
    let hair_of = |colour: &str| {
        let prompt = format!("a woman with long wavy {colour} hair");
        let picture = draw(&home, &prompt, &format!("{colour}.png"));
        mean(&picture, regions(picture.width())[1])
            .iter()
            .sum::<f64>()
            / 3.0
    };
    let (blonde, black) = (hair_of("blonde"), hair_of("black"));
    assert!(
        blonde > black + 40.0,
        "blonde {blonde:.0}, black {black:.0}"
    );
}

#[test]
fn a_replay_of_the_demo_is_identical() {
    let home = Home::new();
    draw(&home, "a smiling woman", "smile.png");
    assert!(
        home.ok(&["replay", "smile.png", "--verify", "--model", &demo()])
            .contains("identical")
    );
}

#[test]
fn a_drawn_face_is_parsed_back_into_mask_and_sketch() {
    let home = Home::new();
    draw(&home, "a woman with long wavy brown hair", "face.png");
    let demo = demo();
    let parse = [
        "parse",
        "face.png",
        "--out",
        "mask.png",
        "--sketch",
        "sketch.png",
    ];
    let said = home.ok(&[&parse[..], &["--model", &demo]].concat());
    for class in ["skin", "hair", "nose"] {
        assert!(said.contains(class), "no {class}: {said}");
    }
    let drawn = image::open(home.path("face.png")).unwrap();
    for file in ["mask.png", "sketch.png"] {
        let picture = image::open(home.path(file)).unwrap();
        assert_eq!(picture.dimensions(), drawn.dimensions(), "{file}");
    }
    let output = home.run(&[&parse[..], &["--model", &demo]].concat());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("no face"));
    // And both are conditions again.
    home.ok(&["generate", "--mask", "mask.png", "--out", "again.png"]);
    home.ok(&["generate", "--sketch", "sketch.png", "--out", "again2.png"]);
}

/// What has no face: a sky, noise, and a street of houses with lit windows.
fn faceless() -> [image::RgbImage; 3] {
    let sky = image::RgbImage::from_fn(400, 300, |x, y| {
        image::Rgb([(100 + x * 3 / 10) as u8, (90 + y / 2) as u8, 200])
    });
    let mut state = 7u32;
    let noise = image::RgbImage::from_fn(256, 256, |_, _| {
        image::Rgb(std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    let houses = image::RgbImage::from_fn(256, 256, |x, y| {
        let house = x / 52;
        let roof = [90, 40, 120, 60, 150][house as usize % 5];
        if y < roof {
            image::Rgb([150, 190, 235])
        } else if x % 52 % 16 > 8 && (y - roof) % 20 > 10 {
            image::Rgb([240, 230, 150])
        } else {
            image::Rgb([60 + 25 * house as u8, 90, 140 - 20 * house as u8])
        }
    });
    [sky, noise, houses]
}

#[test]
fn a_picture_without_a_face_is_told() {
    let home = Home::new();
    for picture in faceless() {
        picture.save(home.path("photo.png")).unwrap();
        let parse = ["parse", "photo.png", "--out", "mask.png", "--json"];
        let output = home.run(&[&parse[..], &["--model", &demo()]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("no face was found"),
            "{said}"
        );
        let event = String::from_utf8_lossy(&output.stdout);
        assert!(event.contains("\"face\":false"), "{event}");
    }
}
