//! The view of the drawing: camera, layers, pointer.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum CanvasCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: CanvasCommand) {
    match command {}
}

/// Makes the pipelines and textures of the canvas.
pub fn start_gpu(_render: &egui_wgpu::RenderState) {}
