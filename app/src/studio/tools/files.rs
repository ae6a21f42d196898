//! Masks into files, sketches into and from files.

use mmface_engine::condition::read_sketch;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::labels::{LabelImage, palette};
use mmface_engine::picture::EXTENSIONS;

use super::State;
use super::ToolsCommand;
use crate::paint::Layer;
use crate::studio::context::Context;
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::document::Look;
use crate::studio::toast::Toast;

fn pictures() -> Option<(String, Vec<String>)> {
    let endings = EXTENSIONS.map(str::to_owned);
    Some(("Pictures".to_owned(), endings.to_vec()))
}

/// What a dialog is asked.
pub(super) fn ask(title: &str, kind: AskKind, name: &str) -> Ask {
    let filter = match kind {
        AskKind::Save => Some(("PNG".to_owned(), vec!["png".to_owned()])),
        _ => pictures(),
    };
    Ask {
        title: title.to_owned(),
        kind,
        filter,
        name: name.to_owned(),
    }
}

/// Asks for a sketch and puts it on the canvas as one step of undo.
pub(super) fn import_sketch(state: &mut State, cx: &mut Context) {
    let ask = ask("Import a sketch", AskKind::Open, "");
    cx.ask(&state.inbox, &ask, |state, cx, path| {
        cx.spawn(&state.inbox, "reading the sketch", move || {
            let result = read_sketch(&path);
            move |_: &mut State, cx: &mut Context| match result {
                Ok((sketch, report)) => {
                    cx.document
                        .painter
                        .edit("Import", |drawing| drawing.set_sketch(&sketch));
                    cx.emit(ToolsCommand::Layer(Layer::Sketch));
                    cx.document.look = Look::Drawing;
                    for warning in report.warnings {
                        cx.tell(Toast::Warning(warning));
                    }
                }
                Err(error) => cx.tell(Toast::Error(error.to_string())),
            }
        });
    });
}

/// Asks where to write a layer and writes it beside the GUI thread.
pub(super) fn export(state: &mut State, cx: &mut Context, layer: Layer) {
    let (title, name) = match layer {
        Layer::Mask => ("Export the mask", "mask.png"),
        Layer::Sketch => ("Export the sketch", "sketch.png"),
    };
    let ask = ask(title, AskKind::Save, name);
    let drawing = cx.document.painter.drawing().clone();
    cx.ask(&state.inbox, &ask, move |state, cx, mut path| {
        if path.extension().is_none() {
            path.set_extension("png");
        }
        cx.spawn(&state.inbox, "exporting", move || {
            let bytes = match layer {
                Layer::Mask => mask_png(&drawing.label_image()),
                Layer::Sketch => drawing
                    .gray_image()
                    .to_png()
                    .map_err(|error| error.to_string()),
            };
            let result = bytes.and_then(|bytes| {
                let written = file::write(&path, &bytes, Overwrite::Replace);
                written.map_err(|error| error.to_string())
            });
            move |_: &mut State, cx: &mut Context| {
                cx.tell(match result {
                    Ok(()) => Toast::Success(format!("Exported {}", path.display())),
                    Err(why) => Toast::Error(why),
                });
            }
        });
    });
}

/// Class numbers with the model's colours as the palette: programs that read numbers and programs
/// that read colours both get what they expect.
fn mask_png(mask: &LabelImage) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, mask.width as u32, mask.height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    let colours = palette().classes.iter().flat_map(|class| class.colour);
    encoder.set_palette(colours.collect::<Vec<u8>>());
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&mask.labels)?;
        writer.finish()
    });
    written.map_err(|error| format!("the mask could not be packed: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use mmface_engine::condition::read_mask;
    use mmface_engine::labels::class;
    use mmface_engine::picture;

    use super::*;

    #[test]
    fn an_exported_mask_comes_back_and_shows_the_model_s_colours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mask.png");
        let mut mask = LabelImage::filled(64, 64, class::SKIN);
        mask.labels[700..900].fill(class::HAIR);
        let bytes = mask_png(&mask).expect("packs");
        std::fs::write(&path, bytes).expect("writes");
        let (again, report) = read_mask(&path).expect("reads");
        assert_eq!(again, mask);
        assert_eq!(report.snapped_to_colour + report.snapped_to_neighbours, 0);
        let raster = picture::read::read(&path).expect("reads");
        assert_eq!(raster.to_rgb().pixel(0, 0), palette().colour(class::SKIN));
    }
}
