//! A face of rectangles with every mistake in turn.

use super::*;

const SIDE: usize = 256;

/// Class, left, top, right, bottom.
#[rustfmt::skip]
const PARTS: [(u8, usize, usize, usize, usize); 15] = [
    (class::HAIR, 50, 16, 206, 110), (class::CLOTH, 20, 220, 236, 256), (class::NECK, 100, 180, 156, 224),
    (class::RIGHT_EAR, 54, 104, 70, 140), (class::LEFT_EAR, 186, 104, 202, 140), (class::SKIN, 70, 60, 186, 204),
    (class::RIGHT_BROW, 82, 88, 116, 96), (class::LEFT_BROW, 140, 88, 174, 96), (class::RIGHT_EYE, 86, 104, 112, 116),
    (class::LEFT_EYE, 144, 104, 170, 116), (class::NOSE, 116, 110, 140, 146), (class::UPPER_LIP, 106, 160, 150, 165),
    (class::MOUTH, 106, 165, 150, 170), (class::LOWER_LIP, 106, 170, 150, 180), (class::EARRING, 190, 140, 193, 142),
];

fn face() -> LabelImage {
    let mut mask = LabelImage::filled(SIDE, SIDE, class::BACKGROUND);
    for (class, left, top, right, bottom) in PARTS {
        for y in top..bottom {
            mask.labels[y * SIDE + left..y * SIDE + right].fill(class);
        }
    }
    mask
}

fn kinds(findings: &[Finding]) -> Vec<What> {
    findings.iter().map(|finding| finding.what).collect()
}

/// The doctor finds exactly this, and its fix gives the face back.
fn cured(mask: &LabelImage, what: What) -> Finding {
    let findings = examine(mask, None);
    assert_eq!(kinds(&findings), [what], "{findings:?}");
    assert_eq!(findings[0].apply(mask), face(), "{}", findings[0].detail);
    assert_eq!(fix_all(mask), (face(), findings.clone()));
    findings[0].clone()
}

#[test]
fn a_healthy_face_is_left_alone() {
    assert_eq!(examine(&face(), None), []);
    assert_eq!(fix_all(&face()), (face(), vec![]));
}

#[test]
fn face_parsing_numbers_are_put_in_our_order() {
    // Our class at each number of that order.
    let order = [
        0u8, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14,
    ];
    let mut mask = face();
    for label in &mut mask.labels {
        *label = order
            .iter()
            .position(|class| class == label)
            .expect("all are there") as u8;
    }
    let findings = examine(&mask, None);
    assert_eq!(findings[0].what, What::OtherOrder, "{findings:?}");
    assert_eq!(findings[0].apply(&mask), face());
    assert_eq!(fix_all(&mask).0, face());
}

#[test]
fn exchanged_sides_are_mended_all_or_some() {
    let mut swapped = face();
    swapped.swap_sides();
    let finding = cured(&swapped, What::Mirrored);
    assert!(
        finding.detail.contains("eyes, brows and ears"),
        "{}",
        finding.detail
    );
    // A mirrored picture with the names of the original.
    let mirrored = Fix::MirrorPicture.apply(&face());
    let finding = examine(&mirrored, None).remove(0);
    assert_eq!(
        finding
            .alternative
            .expect("could be either")
            .apply(&mirrored),
        face()
    );
    let some = Fix::ExchangeSides(vec![class::LEFT_EAR]).apply(&face());
    assert!(cured(&some, What::SwappedSides).detail.contains("ears are"));
}

#[test]
fn both_eyes_in_one_class_are_split() {
    let mut mask = face();
    for label in &mut mask.labels {
        if *label == class::RIGHT_EYE {
            *label = class::LEFT_EYE;
        }
    }
    cured(&mask, What::OneSide);
    // A profile has one eye: nothing to split.
    let mut profile = face();
    for label in &mut profile.labels {
        if matches!(
            *label,
            class::RIGHT_EYE | class::RIGHT_BROW | class::RIGHT_EAR
        ) {
            *label = class::SKIN;
        }
    }
    assert_eq!(examine(&profile, None), []);
    // Seen so far from the side that it lies across the nose's middle.
    for y in 104..116 {
        for x in 118..150 {
            profile.labels[y * SIDE + x] = class::LEFT_EYE;
        }
        profile.labels[y * SIDE + 150..y * SIDE + 170].fill(class::SKIN);
    }
    assert_eq!(examine(&profile, None), []);
}

#[test]
fn holes_and_specks_take_the_class_around_them() {
    let mut mask = face();
    for (x, y) in [(90, 150), (91, 150), (100, 70)] {
        mask.labels[y * SIDE + x] = class::BACKGROUND;
    }
    assert!(
        cured(&mask, What::Holes)
            .detail
            .contains("2 holes (3 pixels)")
    );
    let mut mask = face();
    mask.labels[10 * SIDE + 10] = class::HAIR;
    mask.labels[150 * SIDE + 90] = class::NOSE;
    let finding = cured(&mask, What::Specks);
    assert!(
        finding
            .detail
            .contains("2 specks (2 pixels) of nose and hair"),
        "{}",
        finding.detail
    );
}

#[test]
fn a_face_without_skin_gets_some() {
    let mut mask = face();
    for label in &mut mask.labels {
        if *label == class::SKIN {
            *label = class::BACKGROUND;
        }
    }
    let findings = examine(&mask, None);
    assert_eq!(findings[0].what, What::MissingSkin);
    let mended = findings[0].apply(&mask);
    let skin = |mask: &LabelImage| mask.counts()[usize::from(class::SKIN)];
    assert!(skin(&mended) > skin(&face()) / 2, "{}", skin(&mended));
    for (got, &was) in mended.labels.iter().zip(&mask.labels) {
        assert!(*got == was || was == class::BACKGROUND, "parts stay");
    }
}

#[test]
fn the_report_of_an_import_is_told() {
    let rgb = face().to_rgb();
    let pixels = rgb
        .pixels
        .chunks_exact(3)
        .flat_map(|p| [p[0], p[1], p[2].max(40), 255]);
    let raster = Raster {
        lossy: true,
        ..Raster::new(SIDE, SIDE, Pixels::Rgba(pixels.collect()))
    };
    let (mask, mut report) = mask_from(&raster, None, Path::new("mask.jpg")).expect("reads");
    report.snapped_to_neighbours = 812;
    report.scheme = MaskScheme::SwappedColours;
    let findings = examine(&mask, Some(&report));
    assert_eq!(
        kinds(&findings)[..2],
        [What::OtherOrder, What::UnknownColours]
    );
    assert!(findings[1].detail.starts_with("812 pixels"));
    assert_eq!(findings[1].apply(&mask), mask);
}

#[test]
fn nothing_and_nonsense_are_said() {
    let empty = LabelImage::filled(64, 64, class::BACKGROUND);
    assert_eq!(kinds(&examine(&empty, None)), [What::Empty]);
    let broken = LabelImage {
        width: 8,
        height: 8,
        labels: vec![99],
    };
    assert_eq!(kinds(&examine(&broken, None)), [What::Empty]);
    for fix in [
        Fix::FillHoles,
        Fix::AddSkin,
        Fix::Renumber(MaskScheme::Eight),
        Fix::SplitSides(vec![4]),
    ] {
        assert_eq!(fix.apply(&broken), broken);
    }
    assert_eq!(fix_all(&empty), (empty, vec![]));
}

#[test]
fn the_table_shows_what_a_fix_changes() {
    let mut swapped = face();
    swapped.labels[0] = class::HAT;
    let rows = table(&swapped, &face());
    let hat = rows
        .iter()
        .find(|row| row.class == class::HAT)
        .expect("is listed");
    assert_eq!((hat.title.as_str(), hat.before, hat.after), ("Hat", 1, 0));
    assert!(
        rows.iter().all(|row| row.class != class::NECKLACE),
        "neither has it"
    );
}
