//! The one list of drawing tools, in the order of a tool bar.
//!
//! What a tool is and does stands in its own file in `tools`; the enum, the table of actions, the
//! strip and the options follow this list.

use serde::{Deserialize, Serialize};

/// Calls a macro with the list: for each tool its documentation, its name in files and its module.
macro_rules! for_each_tool {
    ($then:ident) => {
        $then! {
            /// Hard round brush that paints the chosen class.
            #[default]
            Brush brush,
            /// Hard round brush that paints background.
            Eraser eraser,
            /// Fills the region under the cursor.
            Fill fill,
            /// Fills a shape drawn by hand; on the sketch it rubs out what it encloses.
            Lasso lasso,
            /// Fills a shape of corners; on the sketch it rubs out what it encloses.
            Polygon polygon,
            /// A straight stroke; on the sketch with the pencil's width.
            Line line,
            /// Fills an ellipse; on the sketch the pencil draws its outline.
            Ellipse ellipse,
            /// Takes the class under the cursor.
            Eyedropper eyedropper,
            /// Moves, scales and rotates a region of one class.
            Transform transform,
            /// Soft pencil on the sketch.
            Pencil pencil,
            /// Soft eraser on the sketch.
            SketchEraser sketch_eraser,
        }
    };
}
pub(crate) use for_each_tool;

macro_rules! declare {
    ($($(#[$meta:meta])* $tool:ident $module:ident,)*) => {
        /// A drawing tool.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub enum Tool {
            $($(#[$meta])* $tool,)*
        }

        impl Tool {
            /// All tools, in the order of a tool bar.
            pub const ALL: [Self; [$(stringify!($tool)),*].len()] = [$(Self::$tool),*];
        }
    };
}

for_each_tool!(declare);
