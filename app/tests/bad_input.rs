//! Every kind of bad input ends in one line that says what, where and what to do, and in no file.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Output;

use common::{Home, assert_fails};

/// Runs with `--out o.png` and expects failure.
fn refused(home: &Home, arguments: &[&str], code: i32, wanted: &str) {
    let before = home.files();
    let output = home.run(&[arguments, &["--out", "o.png"]].concat());
    assert_fails(home, &output, code, wanted, &before);
}

#[test]
fn wrong_arguments() {
    let home = Home::new();
    for (arguments, wanted) in [
        (vec!["generate", "--steps", "0"], "--steps"),
        (vec!["generate", "--steps", "many"], "--steps"),
        (vec!["generate", "--size", "130"], "128 or 144"),
        (vec!["generate", "--size", "4096"], "from 64 to 1024"),
        (vec!["generate", "--num-samples", "0"], "--num-samples"),
        (vec!["generate", "--guidance", "nan"], "--guidance"),
        (vec!["generate", "--threads", "0"], "--threads"),
        (vec!["generate", "--device", "tpu"], "auto, cpu, cuda"),
        (vec!["generate", "--sampler", "magic"], "euler"),
        (vec!["generate", "--sampler", "ddim"], "does not solve"),
        (
            vec!["generate", "--template", "nobody"],
            "the templates are",
        ),
        (
            vec!["generate", "--mask", "a.png", "--sketch", "b.png"],
            "cannot be used with",
        ),
        (
            vec![
                "generate",
                "--seed",
                "18446744073709551615",
                "--num-samples",
                "2",
            ],
            "leaves no room",
        ),
        (vec!["sweep", "--prompt", "no group"], "no group"),
        (vec!["sweep", "--prompt", "[a|b"], "not closed"),
        (vec!["sweep", "--prompt", "[a|b][c|d][e|f]"], "3 groups"),
    ] {
        refused(&home, &arguments, 2, wanted);
    }
    let output = home.run(&["frobnicate"]);
    assert_fails(&home, &output, 2, "frobnicate", &[]);
    let output = home.run(&["no-such-project.mmface-project"]);
    assert_fails(&home, &output, 2, "no project is called", &[]);
}

#[test]
fn no_display_is_said_in_one_line() {
    let home = Home::new();
    let output = home
        .command(&[])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .output()
        .unwrap();
    assert_fails(&home, &output, 4, "cannot open a window", &[]);
}

#[test]
fn pictures_that_are_none() {
    let home = Home::new();
    let write = |name: &str, bytes: &[u8]| std::fs::write(home.path(name), bytes).unwrap();
    write("empty.png", b"");
    write("text.png", b"this is no picture");
    write("huge.png", &png_header(60_000, 60_000));
    let mut whole = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 64, image::Rgb([204, 0, 0]))
        .write_to(&mut whole, image::ImageFormat::Png)
        .unwrap();
    let whole = whole.into_inner();
    write("cut.png", &whole[..whole.len() / 2]);
    let photo = image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * 3 + y) as u8]));
    photo.save(home.path("grey-photo.png")).unwrap();
    for name in [
        "empty.png",
        "text.png",
        "huge.png",
        "cut.png",
        "missing.png",
    ] {
        for option in ["--mask", "--sketch"] {
            refused(&home, &["generate", option, name], 1, name);
        }
    }
    refused(
        &home,
        &["generate", "--mask", "grey-photo.png"],
        1,
        "grey-photo.png",
    );
}

/// A colour that no palette has is snapped with a warning, and the portrait is drawn.
#[test]
fn an_unknown_colour_is_reported() {
    let home = Home::new();
    let mut mask = image::RgbImage::from_pixel(64, 64, image::Rgb([204, 0, 0]));
    for y in 0..64 {
        for x in 0..64 {
            if y < 20 {
                mask.put_pixel(x, y, image::Rgb([0, 0, 204]));
            } else if (30..40).contains(&y) && (30..40).contains(&x) {
                mask.put_pixel(x, y, image::Rgb([123, 77, 210]));
            }
        }
    }
    mask.save(home.path("m.png")).unwrap();
    let output = home.run(&[
        "generate", "--steps", "1", "--mask", "m.png", "--out", "o.png",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("warning: "), "{said}");
}

#[test]
fn models_that_do_not_load() {
    let home = Home::new();
    refused(&home, &["generate", "--model", "absent"], 1, "absent");
    refused(
        &home,
        &["generate", "--model", "/nowhere/at/all"],
        1,
        "nowhere",
    );

    let poisoned = home.add_model("poisoned", Some("blocks.0.attn.to_q.weight"));
    assert!(poisoned.is_dir());
    refused(
        &home,
        &["generate", "--model", "poisoned"],
        1,
        "blocks.0.attn.to_q.weight",
    );

    let damage = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let path = home.add_model(name, None).join("dit.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, change(bytes)).unwrap();
    };
    damage("truncated", &|mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    damage("lying", &|mut bytes| {
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        bytes
    });
    damage("renamed", &|bytes| {
        // Same length, another name: one tensor is missing and one is unknown.
        let at = bytes
            .windows(15)
            .position(|window| window == b"blocks.0.attn.t")
            .unwrap();
        let mut bytes = bytes;
        bytes[at..at + 6].copy_from_slice(b"blobks");
        bytes
    });
    for name in ["truncated", "lying", "renamed"] {
        refused(&home, &["generate", "--model", name], 1, "dit.safetensors");
    }

    let shapes = home.add_model("shapes", None).join("model.ron");
    let manifest = std::fs::read_to_string(&shapes).unwrap();
    std::fs::write(
        &shapes,
        manifest
            .replace("hidden: 64", "hidden: 128")
            .replace("hidden:64", "hidden:128"),
    )
    .unwrap();
    refused(&home, &["generate", "--model", "shapes"], 1, "shape");

    let broken = home.add_model("broken", None).join("model.ron");
    std::fs::write(&broken, "(format: 1, name: ").unwrap();
    refused(&home, &["generate", "--model", "broken"], 1, "model.ron");
}

#[test]
fn replay_of_a_picture_without_a_recipe() {
    let home = Home::new();
    image::RgbImage::new(8, 8)
        .save(home.path("plain.png"))
        .unwrap();
    refused(&home, &["replay", "plain.png"], 1, "no recipe");
    refused(&home, &["replay", "absent.png"], 1, "absent.png");
}

#[test]
fn places_that_cannot_be_written() {
    let home = Home::new();
    std::fs::create_dir(home.path("folder.png")).unwrap();
    let before = home.files();
    let fails = |out: &str, wanted: &str| {
        let output = home.run(&["generate", "--steps", "1", "--out", out]);
        assert_fails(&home, &output, 1, wanted, &before);
    };
    fails("folder.png", "it is a folder");
    fails("none/o.png", "none");
    // The kernel's own folder refuses even the superuser.
    #[cfg(target_os = "linux")]
    fails("/proc/o.png", "/proc");
}

/// A limit on the size of files stands for a full disk: the write fails half-way.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full() {
    use std::os::unix::process::CommandExt;
    let home = Home::new();
    let mut command = home.command(&["generate", "--steps", "1", "--out", "o.png"]);
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit {
                rlim_cur: 1024,
                rlim_max: 1024,
            };
            libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
            // Without this the kernel ends the program instead of failing the write.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            Ok(())
        });
    }
    let output: Output = command.output().unwrap();
    assert_fails(&home, &output, 1, "o.png", &[]);
}

/// The beginning of a PNG that claims a size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    drop(encoder.write_header().unwrap());
    bytes
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_within_a_step_and_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let home = Home::new();
    let arguments = [
        "generate",
        "--steps",
        "999",
        "--num-samples",
        "50",
        "--json",
        "--out",
        "o.png",
    ];
    let mut child = home
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Wait until it draws.
    assert!(
        lines
            .by_ref()
            .any(|line| line.unwrap().contains("\"event\":\"step\""))
    );
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(pid, libc::SIGINT) };
    // Whole, the job would take hours.
    let began = Instant::now();
    let drain = std::thread::spawn(move || lines.count());
    let output = child.wait_with_output().unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "it took {:?}",
        began.elapsed()
    );
    drain.join().unwrap();
    assert_fails(&home, &output, 130, "cancelled", &[]);
}
