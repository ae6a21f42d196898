//! What can be asked of the painting tools and the drawing.

use std::path::PathBuf;

use mmface_engine::condition::MaskScheme;
use mmface_engine::labels::CLASS_COUNT;

use super::Action;
use crate::paint::{Layer, Target, Tool, ToolSettings, for_each_tool};

/// Actions of this feature.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolsCommand {
    /// Sets what the tools are told.
    Settings(Box<ToolSettings>),
    /// Reads the mask that is being imported again, as numbers or colours of another kind.
    ReadAs(MaskScheme),
    /// Takes back the last gesture.
    Undo,
    /// Does again what was taken back.
    Redo,
    /// Takes a tool, and the layer that it works on.
    Choose(Tool),
    /// Takes a class.
    Class(u8),
    /// Goes back to the class before.
    SwapClasses,
    /// Makes the tool larger or smaller.
    StepSize(bool),
    /// Paints on a layer.
    Layer(Layer),
    /// Paints on the other layer.
    ToggleLayer,
    /// Says what may be painted over.
    Target(Target),
    /// The next of everything, background, the class under the pointer or at hand.
    NextTarget,
    /// Strokes are mirrored or not.
    ToggleMirror,
    /// Puts the mirror's axis upright into the middle.
    CentreMirror,
    /// Shows or hides a class.
    ToggleHidden(u8),
    /// Protects a class or not.
    ToggleLocked(u8),
    /// Shows and unlocks all classes.
    FreeAll,
    /// Hides or shows the class at hand.
    HideCurrent,
    /// Locks or unlocks the class at hand.
    LockCurrent,
    /// Empties the layer at hand.
    Clear,
    /// Mirrors both layers.
    Flip,
    /// Changes the side of the canvas.
    Resize(usize),
    /// Fills what a contour encloses around the pointer.
    FillContour,
    /// Opens or closes the window of templates.
    ToggleTemplates,
    /// Opens a template by name.
    Template(String),
    /// Reads a mask: one that was dropped on the window.
    ReadMask(PathBuf),
    /// Asks for a mask to import.
    ImportMask,
    /// Asks for a sketch to import.
    ImportSketch,
    /// Mends a finding of the mask that is being imported, in the other of two ways if `true`.
    MendImport(usize, bool),
    /// Mends all findings of the mask that is being imported.
    MendAllOfImport,
    /// Takes the mask that is being imported, or drops it.
    EndImport(bool),
    /// Asks where to write the mask.
    ExportMask,
    /// Asks where to write the sketch.
    ExportSketch,
}

macro_rules! class_actions {
    ($($number:literal $id:literal $title:literal $key:literal,)*) => {
        [$(Action::new($id, $title, &[$key], || ToolsCommand::Class($number).into()),)*]
    };
}

macro_rules! choose_actions {
    ($($(#[$meta:meta])* $tool:ident $module:ident,)*) => {
        [$(Action::new(
            Tool::$tool.info().id,
            Tool::$tool.info().action,
            Tool::$tool.info().keys,
            || ToolsCommand::Choose(Tool::$tool).into(),
        ),)*]
    };
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &{
    let history = [
        Action::new("tools.undo", "Undo", &["Ctrl+Z"], || {
            ToolsCommand::Undo.into()
        }),
        Action::new("tools.redo", "Redo", &["Ctrl+Shift+Z", "Ctrl+Y"], || {
            ToolsCommand::Redo.into()
        }),
    ];
    let tools = for_each_tool!(choose_actions);
    let others = [
        Action::new("tools.smaller", "Smaller", &["["], || {
            ToolsCommand::StepSize(false).into()
        }),
        Action::new("tools.larger", "Larger", &["]"], || {
            ToolsCommand::StepSize(true).into()
        }),
        Action::new("tools.layer", "Paint on the other layer", &["S"], || {
            ToolsCommand::ToggleLayer.into()
        }),
        Action::new("tools.target", "Next paint target", &["K"], || {
            ToolsCommand::NextTarget.into()
        }),
        Action::new("tools.mirror", "Mirror strokes", &["M"], || {
            ToolsCommand::ToggleMirror.into()
        }),
        Action::new(
            "tools.centre_mirror",
            "Put the mirror's axis into the middle",
            &[],
            || ToolsCommand::CentreMirror.into(),
        ),
        Action::new("tools.swap", "Go back to the last class", &["X"], || {
            ToolsCommand::SwapClasses.into()
        }),
        Action::new("tools.hide", "Hide the class at hand", &["H"], || {
            ToolsCommand::HideCurrent.into()
        }),
        Action::new("tools.lock", "Lock the class at hand", &["Shift+L"], || {
            ToolsCommand::LockCurrent.into()
        }),
        Action::new(
            "tools.free",
            "Show and unlock all classes",
            &["Shift+H"],
            || ToolsCommand::FreeAll.into(),
        ),
        Action::new("tools.clear", "Clear the layer", &["Delete"], || {
            ToolsCommand::Clear.into()
        }),
        Action::new("tools.flip", "Flip the drawing", &["Shift+F"], || {
            ToolsCommand::Flip.into()
        }),
        Action::new(
            "tools.fill_contour",
            "Fill the contour around the pointer",
            &["Shift+G"],
            || ToolsCommand::FillContour.into(),
        ),
        Action::new("tools.side_512", "Canvas of 512 × 512 pixels", &[], || {
            ToolsCommand::Resize(512).into()
        }),
        Action::new(
            "tools.side_1024",
            "Canvas of 1024 × 1024 pixels",
            &[],
            || ToolsCommand::Resize(1024).into(),
        ),
        Action::new(
            "tools.templates",
            "Start from a template",
            &["Ctrl+T"],
            || ToolsCommand::ToggleTemplates.into(),
        ),
        Action::new("tools.import_mask", "Import a mask", &["Ctrl+I"], || {
            ToolsCommand::ImportMask.into()
        }),
        Action::new(
            "tools.import_sketch",
            "Import a sketch",
            &["Ctrl+Shift+I"],
            || ToolsCommand::ImportSketch.into(),
        ),
        Action::new("tools.export_mask", "Export the mask", &[], || {
            ToolsCommand::ExportMask.into()
        }),
        Action::new("tools.export_sketch", "Export the sketch", &[], || {
            ToolsCommand::ExportSketch.into()
        }),
    ];
    // Alt adds ten: the key is the class's number.
    let classes = class_actions![
        0 "tools.class.background" "Paint background" "0",
        1 "tools.class.skin" "Paint skin" "1",
        2 "tools.class.nose" "Paint the nose" "2",
        3 "tools.class.eye_g" "Paint glasses" "3",
        4 "tools.class.l_eye" "Paint the left eye" "4",
        5 "tools.class.r_eye" "Paint the right eye" "5",
        6 "tools.class.l_brow" "Paint the left brow" "6",
        7 "tools.class.r_brow" "Paint the right brow" "7",
        8 "tools.class.l_ear" "Paint the left ear" "8",
        9 "tools.class.r_ear" "Paint the right ear" "9",
        10 "tools.class.mouth" "Paint the inside of the mouth" "Alt+0",
        11 "tools.class.u_lip" "Paint the upper lip" "Alt+1",
        12 "tools.class.l_lip" "Paint the lower lip" "Alt+2",
        13 "tools.class.hair" "Paint hair" "Alt+3",
        14 "tools.class.hat" "Paint a hat" "Alt+4",
        15 "tools.class.ear_r" "Paint an earring" "Alt+5",
        16 "tools.class.neck_l" "Paint a necklace" "Alt+6",
        17 "tools.class.neck" "Paint the neck" "Alt+7",
        18 "tools.class.cloth" "Paint clothing" "Alt+8",
    ];
    joined([&history, &tools, &others, &classes])
};

/// All tables as one.
const fn joined(tables: [&[Action]; 4]) -> [Action; TABLE] {
    let mut all = [tables[0][0]; TABLE];
    let (mut table, mut next) = (0, 0);
    while table < tables.len() {
        let mut i = 0;
        while i < tables[table].len() {
            all[next] = tables[table][i];
            (i, next) = (i + 1, next + 1);
        }
        table += 1;
    }
    assert!(next == TABLE, "an action would stand twice");
    all
}

/// Named actions of this feature: two of history, the tools, twenty more, the classes.
const TABLE: usize = 22 + Tool::ALL.len() + CLASS_COUNT;
