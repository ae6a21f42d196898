//! Pictures as egui takes them.

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use mmface_engine::picture::RgbImage;

/// A picture as egui takes it.
pub(super) fn colour_image(picture: &RgbImage) -> ColorImage {
    ColorImage::from_rgb([picture.width, picture.height], &picture.pixels)
}

/// A picture on the GPU.
pub(super) fn texture(ctx: &Context, name: &str, picture: &RgbImage) -> TextureHandle {
    ctx.load_texture(name, colour_image(picture), TextureOptions::LINEAR)
}
