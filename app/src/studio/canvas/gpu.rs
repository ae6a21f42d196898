//! The canvas on the GPU: textures that follow the drawing, and one triangle that shows them.
//!
//! A tile is sent when its pointer differs from the one sent last. Nothing has to be marked dirty,
//! so a dropped frame, undo, redo and a new document all send exactly what differs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use egui_wgpu::{CallbackResources, CallbackTrait, ScreenDescriptor};
use mmface_engine::picture::RgbImage;
use wgpu::{
    BindGroup, BindGroupLayout, Buffer, Device, Queue, RenderPass, RenderPipeline, Sampler,
    Texture, TextureFormat,
};

use crate::paint::{TILE, Tiles};

/// The shader's source.
pub const SHADER: &str = include_str!("../../../../shaders/canvas/canvas.wgsl");

/// Classes are drawn with stripes as well as colours.
pub const HATCH: u32 = 1;
/// Borders of classes are anti-aliased on screen.
pub const SMOOTH: u32 = 2;
/// No class is lit.
pub const NO_CLASS: u32 = 255;

/// Numbers of the shader; the same struct is in `canvas.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct View {
    /// Canvas point at the viewport's upper left corner, canvas pixels.
    pub origin: [f32; 2],
    /// Canvas size.
    pub canvas: [f32; 2],
    /// Way on the canvas along the viewport's upper edge.
    pub right: [f32; 2],
    /// And along its left edge.
    pub down: [f32; 2],
    /// Colour beneath everything; the last number is the opacity of the class background.
    pub ground: [f32; 4],
    /// Colour around the canvas.
    pub surround: [f32; 4],
    /// Colour of the canvas's outline.
    pub edge: [f32; 4],
    /// Opacity of the mask.
    pub mask: f32,
    /// Of the sketch.
    pub sketch: f32,
    /// Of the photo to draw over.
    pub onion: f32,
    /// Of the generated picture.
    pub picture: f32,
    /// Canvas pixels in a screen pixel.
    pub px: f32,
    /// Strength of the lines between classes.
    pub contour: f32,
    /// Right of this column only the picture is shown.
    pub split: f32,
    /// Strength of the marked area.
    pub area: f32,
    /// Bit set of classes that are left out.
    pub hidden: u32,
    /// The class that others make room for.
    pub lit: u32,
    /// [`HATCH`], [`SMOOTH`].
    pub flags: u32,
    /// Fills the last 16 bytes.
    pub unused: u32,
}

/// A picture ready to be sent: RGBA.
#[derive(Debug, PartialEq, Eq)]
pub struct Texels {
    width: u32,
    height: u32,
    rgba: Vec<u8>,
}

impl Texels {
    /// Takes a picture over.
    pub fn new(image: &RgbImage) -> Self {
        let mut rgba = Vec::with_capacity(image.width * image.height * 4);
        for pixel in image.pixels.chunks_exact(3) {
            rgba.extend_from_slice(&[pixel[0], pixel[1], pixel[2], 255]);
        }
        rgba.resize(image.width * image.height * 4, 255);
        Self {
            width: image.width as u32,
            height: image.height as u32,
            rgba,
        }
    }

    /// The picture as it was.
    pub fn to_rgb(&self) -> RgbImage {
        let pixels = self.rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
        RgbImage {
            width: self.width as usize,
            height: self.height as usize,
            pixels: pixels.copied().collect(),
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }
}

/// A byte texture that follows tiles.
struct TileTexture {
    texture: Texture,
    /// What was sent last.
    sent: Option<Tiles>,
}

impl TileTexture {
    fn new(device: &Device, name: &str, format: TextureFormat) -> Self {
        Self {
            texture: texture(device, name, [TILE as u32; 2], format),
            sent: None,
        }
    }

    /// Sends what differs. Returns tiles sent, and whether the texture is another one now.
    fn follow(&mut self, device: &Device, queue: &Queue, tiles: &Tiles) -> (usize, bool) {
        let size = [tiles.width() as u32, tiles.height() as u32];
        let resized = [self.texture.width(), self.texture.height()] != size;
        if resized {
            self.texture = texture(device, "canvas tiles", size, self.texture.format());
            self.sent = None;
        }
        let sent = self.sent.as_ref().map(Tiles::tiles);
        let mut count = 0;
        for (i, tile) in tiles.tiles().iter().enumerate() {
            if sent.is_some_and(|sent| Arc::ptr_eq(&sent[i], tile)) {
                continue;
            }
            let place = [i % tiles.columns(), i / tiles.columns()].map(|n| (n * TILE) as u32);
            write(queue, &self.texture, place, [TILE as u32; 2], 1, &tile[..]);
            count += 1;
        }
        if count > 0 {
            self.sent = Some(tiles.clone());
        }
        (count, resized)
    }
}

/// A colour texture that follows a picture.
struct PictureTexture {
    texture: Texture,
    sent: Option<Arc<Texels>>,
}

impl PictureTexture {
    fn new(device: &Device, name: &str) -> Self {
        Self {
            texture: texture(device, name, [1, 1], TextureFormat::Rgba8Unorm),
            sent: None,
        }
    }

    fn follow(&mut self, device: &Device, queue: &Queue, picture: &Arc<Texels>) -> bool {
        if self
            .sent
            .as_ref()
            .is_some_and(|sent| Arc::ptr_eq(sent, picture))
        {
            return false;
        }
        let size = picture.size();
        let resized = [self.texture.width(), self.texture.height()] != size;
        if resized {
            self.texture = texture(device, "canvas picture", size, TextureFormat::Rgba8Unorm);
        }
        write(queue, &self.texture, [0, 0], size, 4, &picture.rgba);
        self.sent = Some(Arc::clone(picture));
        resized
    }
}

/// Pipeline and textures; lives in egui's callback resources.
pub struct CanvasGpu {
    pipeline: RenderPipeline,
    layout: BindGroupLayout,
    sampler: Sampler,
    numbers: Buffer,
    palette: Texture,
    colours: Option<[[u8; 4]; 19]>,
    labels: TileTexture,
    sketch: TileTexture,
    area: TileTexture,
    onion: PictureTexture,
    picture: PictureTexture,
    bound: BindGroup,
    /// The adapter computes pixels on the CPU: what costs much rests during strokes.
    software: bool,
}

impl CanvasGpu {
    /// Builds the pipeline for a render target.
    pub fn new(device: &Device, target: TextureFormat, software: bool) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("canvas"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let layout = layout(device);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("canvas"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vs"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fs"),
                compilation_options: Default::default(),
                targets: &[Some(target.into())],
            }),
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            multiview_mask: None,
            cache: None,
        });
        let numbers = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("canvas view"),
            size: size_of::<View>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("canvas"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let palette = texture(device, "palette", [19, 1], TextureFormat::Rgba8Unorm);
        let labels = TileTexture::new(device, "labels", TextureFormat::R8Uint);
        let sketch = TileTexture::new(device, "sketch", TextureFormat::R8Unorm);
        let area = TileTexture::new(device, "area", TextureFormat::R8Uint);
        let onion = PictureTexture::new(device, "onion");
        let picture = PictureTexture::new(device, "picture");
        let bound = bind(
            device,
            &layout,
            &numbers,
            &sampler,
            [
                &labels.texture,
                &palette,
                &sketch.texture,
                &onion.texture,
                &picture.texture,
                &area.texture,
            ],
        );
        Self {
            pipeline,
            layout,
            sampler,
            numbers,
            palette,
            colours: None,
            labels,
            sketch,
            area,
            onion,
            picture,
            bound,
            software,
        }
    }

    /// Sends what changed since the last frame. Returns the tiles sent.
    pub fn prepare(&mut self, device: &Device, queue: &Queue, frame: &Frame) -> usize {
        let (labels, a) = self.labels.follow(device, queue, &frame.mask);
        let (sketch, b) = self.sketch.follow(device, queue, &frame.sketch);
        let mut rebind = a | b;
        let mut count = labels + sketch;
        if let Some(area) = &frame.area {
            // The shader reads it at the drawing's places: it has to have its size.
            let (tiles, resized) = self.area.follow(device, queue, area);
            count += tiles;
            rebind |= resized;
        }
        if let Some(onion) = &frame.onion {
            rebind |= self.onion.follow(device, queue, onion);
        }
        if let Some(picture) = &frame.picture {
            rebind |= self.picture.follow(device, queue, picture);
        }
        if self.colours != Some(frame.colours) {
            let bytes = frame.colours.as_flattened();
            write(queue, &self.palette, [0, 0], [19, 1], 4, bytes);
            self.colours = Some(frame.colours);
        }
        if rebind {
            self.bound = bind(
                device,
                &self.layout,
                &self.numbers,
                &self.sampler,
                [
                    &self.labels.texture,
                    &self.palette,
                    &self.sketch.texture,
                    &self.onion.texture,
                    &self.picture.texture,
                    &self.area.texture,
                ],
            );
        }
        let mut view = frame.view;
        if self.software {
            view.flags &= !SMOOTH;
            if frame.stroke {
                view.contour = 0.0;
            }
        }
        queue.write_buffer(&self.numbers, 0, bytemuck::bytes_of(&view));
        count
    }

    /// Draws into the pass's viewport.
    pub fn paint(&self, pass: &mut RenderPass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bound, &[]);
        pass.draw(0..3, 0..1);
    }
}

/// What [`CanvasGpu::prepare`] has cost so far, for the speed test.
#[derive(Debug, Default)]
pub struct Cost {
    /// Microseconds.
    pub micros: AtomicU64,
    /// Frames.
    pub frames: AtomicU64,
}

/// One frame: all that is shown. Holds shares of the drawing, so it costs next to nothing and a
/// dropped frame loses nothing.
#[derive(Clone)]
pub struct Frame {
    /// The class mask.
    pub mask: Tiles,
    /// The sketch.
    pub sketch: Tiles,
    /// Pixels to mark: those that are not 0.
    pub area: Option<Tiles>,
    /// The photo to draw over.
    pub onion: Option<Arc<Texels>>,
    /// The generated picture.
    pub picture: Option<Arc<Texels>>,
    /// Colours of the classes.
    pub colours: [[u8; 4]; 19],
    /// Numbers of the shader.
    pub view: View,
    /// A stroke is being drawn.
    pub stroke: bool,
    /// Where the time is added up.
    pub cost: Arc<Cost>,
}

impl CallbackTrait for Frame {
    fn prepare(
        &self,
        device: &Device,
        queue: &Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let start = Instant::now();
        if let Some(gpu) = resources.get_mut::<CanvasGpu>() {
            gpu.prepare(device, queue, self);
        }
        let micros = start.elapsed().as_micros() as u64;
        self.cost.micros.fetch_add(micros, Ordering::Relaxed);
        self.cost.frames.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(gpu) = resources.get::<CanvasGpu>() {
            gpu.paint(pass);
        }
    }
}

fn texture(device: &Device, name: &str, size: [u32; 2], format: TextureFormat) -> Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some(name),
        size: wgpu::Extent3d {
            width: size[0].max(1),
            height: size[1].max(1),
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn write(
    queue: &Queue,
    texture: &Texture,
    place: [u32; 2],
    size: [u32; 2],
    bytes: u32,
    data: &[u8],
) {
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: 0,
            origin: wgpu::Origin3d {
                x: place[0],
                y: place[1],
                z: 0,
            },
            aspect: wgpu::TextureAspect::All,
        },
        data,
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(size[0] * bytes),
            rows_per_image: None,
        },
        wgpu::Extent3d {
            width: size[0],
            height: size[1],
            depth_or_array_layers: 1,
        },
    );
}

fn layout(device: &Device) -> BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty,
        count: None,
    };
    let texture = |binding, sample_type| {
        entry(
            binding,
            wgpu::BindingType::Texture {
                sample_type,
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
        )
    };
    let colour = wgpu::TextureSampleType::Float { filterable: true };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("canvas"),
        entries: &[
            entry(
                0,
                wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
            ),
            texture(1, wgpu::TextureSampleType::Uint),
            texture(2, colour),
            texture(3, colour),
            texture(4, colour),
            texture(5, colour),
            texture(6, wgpu::TextureSampleType::Uint),
            entry(
                7,
                wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
            ),
        ],
    })
}

fn bind(
    device: &Device,
    layout: &BindGroupLayout,
    numbers: &Buffer,
    sampler: &Sampler,
    textures: [&Texture; 6],
) -> BindGroup {
    let views = textures.map(|texture| texture.create_view(&Default::default()));
    let mut entries = vec![wgpu::BindGroupEntry {
        binding: 0,
        resource: numbers.as_entire_binding(),
    }];
    for (i, view) in views.iter().enumerate() {
        entries.push(wgpu::BindGroupEntry {
            binding: i as u32 + 1,
            resource: wgpu::BindingResource::TextureView(view),
        });
    }
    entries.push(wgpu::BindGroupEntry {
        binding: 7,
        resource: wgpu::BindingResource::Sampler(sampler),
    });
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("canvas"),
        layout,
        entries: &entries,
    })
}
