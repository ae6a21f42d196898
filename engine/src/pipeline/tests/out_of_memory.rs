//! A decode that does not fit costs its tiles, not the steps before it.

use super::*;

/// A picture of 384 pixels does not fit in one piece, its tiles of 256 do.
fn tight(_: &Device) -> Option<u64> {
    Some(decode_bytes(&AutoencoderKlConfig::demo(), 300))
}

fn large() -> Job {
    Job {
        draw: Draw {
            size: 384,
            steps: 2,
            count: 2,
            guidance: 1.0,
            ..job().draw
        },
        ..job()
    }
}

#[test]
fn a_picture_that_does_not_fit_is_decoded_in_tiles_without_another_step() {
    let mut parts = parts();
    let tiles = Attempt {
        tiled_decoding: true,
    };
    let expected = run::run(
        &parts,
        &mut Memory::default(),
        PreviewPolicy::Off,
        &large(),
        tiles,
        &mut Listener::default(),
        &Cancel::new(),
    )
    .unwrap();
    parts.codec.free = tight;
    let mut listener = Listener::default();
    let pictures = run_with(&parts, PreviewPolicy::Off, &large(), &mut listener).unwrap();
    assert_eq!(listener.steps, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    assert!(pictures == expected, "the same pictures as with tiles");
}

#[test]
fn where_no_tile_fits_the_numbers_are_told() {
    let mut parts = parts();
    parts.codec.free = |_| Some(1);
    let result = run_with(
        &parts,
        PreviewPolicy::Off,
        &large(),
        &mut Listener::default(),
    );
    let Err(Error::OutOfMemory {
        needed, available, ..
    }) = result
    else {
        panic!("there is no room")
    };
    let tile = decode_bytes(&AutoencoderKlConfig::demo(), 256);
    assert_eq!((needed, available), (Some(tile), Some(1)));
}
