//! Shaders: each is valid, agrees with the program about its numbers, and draws the right pixels.

#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};
use mmface::paint::Tiles;
use mmface::studio::canvas::gpu::{
    CanvasGpu, Cost, Frame, HATCH, NO_CLASS, SHADER, SMOOTH, Texels, View,
};
use mmface::studio::class_colours as colours;
use mmface_engine::labels::class;
use mmface_engine::picture::RgbImage;
use wgpu::naga::TypeInner;
use wgpu::naga::front::wgsl::parse_str;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

#[test]
fn every_shader_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders");
    let mut folders = vec![folder];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("shaders/ is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "wgsl") {
                found += 1;
                let text = std::fs::read_to_string(&path).expect("text");
                let module = parse_str(&text)
                    .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&text)));
                // Without extra capabilities: the GL backend has to take it as well.
                Validator::new(ValidationFlags::all(), Capabilities::empty())
                    .validate(&module)
                    .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&text)));
            }
        }
    }
    assert!(found >= 1);
}

#[test]
fn shader_and_program_agree_about_the_numbers() {
    let module = parse_str(SHADER).expect("parses");
    let (members, span) = module
        .types
        .iter()
        .find_map(|(_, entry)| match &entry.inner {
            TypeInner::Struct { members, span } if entry.name.as_deref() == Some("View") => {
                Some((members, *span))
            }
            _ => None,
        })
        .expect("the shader has a View");
    assert_eq!(span as usize, size_of::<View>());
    let offset = |name: &str| {
        let member = members
            .iter()
            .find(|member| member.name.as_deref() == Some(name));
        member.unwrap_or_else(|| panic!("{name}")).offset as usize
    };
    for (name, place) in [
        ("origin", std::mem::offset_of!(View, origin)),
        ("down", std::mem::offset_of!(View, down)),
        ("ground", std::mem::offset_of!(View, ground)),
        ("edge", std::mem::offset_of!(View, edge)),
        ("mask", std::mem::offset_of!(View, mask)),
        ("picture", std::mem::offset_of!(View, picture)),
        ("split", std::mem::offset_of!(View, split)),
        ("hidden", std::mem::offset_of!(View, hidden)),
        ("flags", std::mem::offset_of!(View, flags)),
    ] {
        assert_eq!(offset(name), place, "{name}");
    }
}

/// Side of the drawing and of the rendered picture, pixels.
const SIDE: usize = 64;

struct Stage {
    render: egui_wgpu::RenderState,
    gpu: CanvasGpu,
    target: wgpu::Texture,
}

impl Stage {
    fn new() -> Self {
        let render = create_render_state(
            default_wgpu_setup(),
            egui_wgpu::RendererOptions::PREDICTABLE,
        );
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let target = render.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d {
                width: SIDE as u32,
                height: SIDE as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let gpu = CanvasGpu::new(&render.device, format, false);
        Self {
            render,
            gpu,
            target,
        }
    }

    /// Draws a frame; RGB of each pixel.
    fn draw(&mut self, frame: &Frame) -> RgbImage {
        let (device, queue) = (&self.render.device, &self.render.queue);
        self.gpu.prepare(device, queue, frame);
        let mut encoder = device.create_command_encoder(&Default::default());
        let view = self.target.create_view(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            self.gpu.paint(&mut pass);
        }
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (SIDE * SIDE * 4) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_texture_to_buffer(
            self.target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    // 64 pixels are just the 256 bytes that copies want.
                    bytes_per_row: Some(SIDE as u32 * 4),
                    rows_per_image: None,
                },
            },
            self.target.size(),
        );
        queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        buffer
            .slice(..)
            .map_async(wgpu::MapMode::Read, move |done| {
                sender.send(done).expect("the test waits");
            });
        device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("draws");
        receiver.recv().expect("an answer").expect("mapped");
        let bytes = buffer.slice(..).get_mapped_range().expect("mapped");
        let pixels = bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]);
        RgbImage {
            width: SIDE,
            height: SIDE,
            pixels: pixels.collect(),
        }
    }
}

/// Skin on the left, hair on the right, one canvas pixel for each pixel.
fn frame() -> Frame {
    let mut mask = Tiles::filled(SIDE, SIDE, class::SKIN);
    for y in 0..SIDE {
        mask.fill_row(y, SIDE / 2..SIDE, class::HAIR);
    }
    Frame {
        mask,
        sketch: Tiles::filled(SIDE, SIDE, 255),
        area: None,
        onion: None,
        picture: None,
        colours: colours::table(true),
        view: View {
            origin: [0.0, 0.0],
            canvas: [SIDE as f32; 2],
            right: [SIDE as f32, 0.0],
            down: [0.0, SIDE as f32],
            ground: [0.2, 0.4, 0.6, 1.0],
            surround: [0.0, 1.0, 0.0, 1.0],
            edge: [1.0, 0.0, 0.0, 1.0],
            mask: 1.0,
            sketch: 0.0,
            onion: 0.0,
            picture: 0.0,
            px: 1.0,
            contour: 0.0,
            split: 1000.0,
            area: 0.0,
            hidden: 0,
            lit: u32::from(u8::MAX).min(NO_CLASS),
            flags: 0,
            unused: 0,
        },
        stroke: false,
        cost: std::sync::Arc::new(Cost::default()),
    }
}

fn picture(colour: [u8; 3]) -> Option<std::sync::Arc<Texels>> {
    let image = RgbImage::filled(16, 16, colour);
    Some(std::sync::Arc::new(Texels::new(&image)))
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1)
}

#[track_caller]
fn expect(image: &RgbImage, x: usize, y: usize, colour: [u8; 3]) {
    let found = image.pixel(x, y);
    assert!(
        near(found, colour),
        "({x}, {y}) is {found:?}, not {colour:?}"
    );
}

#[test]
fn pixels_are_what_the_layers_say() {
    let mut stage = Stage::new();
    let (skin, hair) = (
        colours::rgb(true, class::SKIN),
        colours::rgb(true, class::HAIR),
    );
    let ground = [51, 102, 153];

    let plain = stage.draw(&frame());
    expect(&plain, 3, 10, skin);
    expect(&plain, 31, 63, skin);
    expect(&plain, 32, 0, hair);

    let mut hidden = frame();
    hidden.view.hidden = 1 << class::HAIR;
    let image = stage.draw(&hidden);
    expect(&image, 3, 10, skin);
    expect(&image, 50, 10, ground);

    let mut over = frame();
    over.picture = picture([10, 200, 30]);
    over.view.picture = 1.0;
    over.view.mask = 0.5;
    let image = stage.draw(&over);
    let half: [u8; 3] = std::array::from_fn(|i| {
        (f32::from(skin[i]) * 0.5 + [10.0, 200.0, 30.0][i] * 0.5).round() as u8
    });
    expect(&image, 3, 10, half);

    // Lines: black on the side of the lower class, white on the other; nothing elsewhere.
    over.view.mask = 0.0;
    over.view.contour = 1.0;
    let image = stage.draw(&over);
    expect(&image, 32, 10, [255, 255, 255]);
    assert!(image.pixel(31, 10).iter().all(|&v| v < 70));
    expect(&image, 20, 10, [10, 200, 30]);

    let mut split = frame();
    split.picture = picture([10, 200, 30]);
    split.view.split = 16.0;
    let image = stage.draw(&split);
    expect(&image, 8, 10, skin);
    expect(&image, 20, 10, [10, 200, 30]);
    expect(&image, 50, 10, [10, 200, 30]);

    let mut drawn = frame();
    for y in 20..40 {
        drawn.sketch.fill_row(y, 0..SIDE, 0);
    }
    drawn.view.sketch = 1.0;
    let image = stage.draw(&drawn);
    expect(&image, 3, 30, [0, 0, 0]);
    expect(&image, 3, 10, skin);

    let mut onion = frame();
    onion.onion = picture([240, 0, 240]);
    onion.view.onion = 0.5;
    onion.view.mask = 0.0;
    let image = stage.draw(&onion);
    expect(&image, 3, 10, [146, 51, 197]);
}

#[test]
fn the_canvas_turns_and_ends_where_the_view_says() {
    let mut stage = Stage::new();
    let mut away = frame();
    away.view.origin = [-32.0, -32.0];
    away.view.right = [128.0, 0.0];
    away.view.down = [0.0, 128.0];
    away.view.px = 2.0;
    let image = stage.draw(&away);
    expect(&image, 3, 3, [0, 255, 0]);
    expect(&image, 20, 30, colours::rgb(true, class::SKIN));
    expect(&image, 40, 30, colours::rgb(true, class::HAIR));
    expect(&image, 15, 30, [255, 0, 0]);

    // A quarter turn clockwise: what was on the left is above.
    let mut turned = frame();
    turned.view.origin = [0.0, 64.0];
    turned.view.right = [0.0, -64.0];
    turned.view.down = [64.0, 0.0];
    let image = stage.draw(&turned);
    expect(&image, 10, 5, colours::rgb(true, class::SKIN));
    expect(&image, 10, 60, colours::rgb(true, class::HAIR));
}

#[test]
fn stripes_light_and_marks_change_what_they_are_for() {
    let mut stage = Stage::new();
    let skin = colours::rgb(true, class::SKIN);
    let count = |image: &RgbImage, colour: [u8; 3]| {
        let pixels = (0..32).flat_map(|x| (0..SIDE).map(move |y| (x, y)));
        pixels
            .filter(|&(x, y)| near(image.pixel(x, y), colour))
            .count()
    };
    let plain = stage.draw(&frame());
    assert_eq!(count(&plain, skin), 32 * SIDE);

    let mut hatched = frame();
    hatched.view.flags = HATCH;
    let image = stage.draw(&hatched);
    let left = count(&image, skin);
    assert!(
        (1000..1900).contains(&left),
        "{left} of 2048 pixels have no stripe"
    );

    let mut lit = frame();
    lit.view.lit = u32::from(class::HAIR);
    let image = stage.draw(&lit);
    assert_eq!(count(&image, skin), 0);
    expect(&image, 50, 10, colours::rgb(true, class::HAIR));

    let mut marked = frame();
    let mut area = Tiles::filled(SIDE, SIDE, 0);
    area.fill_row(7, 0..20, 1);
    marked.area = Some(area);
    marked.view.area = 0.4;
    let image = stage.draw(&marked);
    expect(&image, 3, 10, skin);
    assert!((0..20).all(|x| !near(image.pixel(x, 7), skin)));

    // Half a pixel to the side the border falls into pixels: their colours are mixed.
    let mut soft = frame();
    soft.view.origin = [0.5, 0.0];
    soft.view.flags = SMOOTH;
    let image = stage.draw(&soft);
    let border = image.pixel(31, 10)[0];
    let (low, high) = (colours::rgb(true, class::HAIR)[0], skin[0]);
    assert!(border > low + 20 && border < high - 20, "{border}");
}

#[test]
fn only_what_differs_is_sent() {
    let mut stage = Stage::new();
    let (device, queue) = (stage.render.device.clone(), stage.render.queue.clone());
    let mut shown = frame();
    shown.mask = Tiles::filled(512, 512, 0);
    shown.sketch = Tiles::filled(512, 512, 255);
    shown.view.canvas = [512.0; 2];
    assert_eq!(stage.gpu.prepare(&device, &queue, &shown), 128);
    assert_eq!(stage.gpu.prepare(&device, &queue, &shown), 0);
    let before = shown.mask.clone();
    shown.mask.fill_row(100, 60..70, class::NOSE);
    assert_eq!(stage.gpu.prepare(&device, &queue, &shown), 2);
    shown.mask = before;
    assert_eq!(stage.gpu.prepare(&device, &queue, &shown), 2, "undo");

    // Another size: everything is new, and the pixels are right.
    shown.mask = Tiles::filled(1024, 1024, class::HAT);
    shown.sketch = Tiles::filled(1024, 1024, 255);
    shown.view.canvas = [1024.0; 2];
    shown.view.origin = [900.0, 900.0];
    let image = stage.draw(&shown);
    expect(&image, 10, 10, colours::rgb(true, class::HAT));
}
