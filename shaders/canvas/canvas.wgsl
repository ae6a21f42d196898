// The drawing on screen: ground, photo, picture, class mask, sketch, contours.
// Colours are in gamma space throughout, as egui's render target is: nothing is converted.

struct View {
    origin: vec2f,      // canvas point at the viewport's upper left corner, canvas pixels
    canvas: vec2f,      // canvas size
    right: vec2f,       // way on the canvas along the viewport's upper edge
    down: vec2f,        // and along its left edge
    ground: vec4f,      // rgb beneath everything; a: opacity of the class background
    surround: vec4f,    // rgb around the canvas
    edge: vec4f,        // rgb of the canvas's outline
    mask: f32,          // opacities
    sketch: f32,
    onion: f32,
    picture: f32,
    px: f32,            // canvas pixels in a screen pixel
    contour: f32,       // strength of the lines between classes
    split: f32,         // right of this column only the picture; beyond the canvas: no split
    area: f32,          // strength of the marked area
    hidden: u32,        // bit set of classes that are left out
    lit: u32,           // the class that others make room for; 255: none
    flags: u32,
    unused: u32,
};

const HATCH: u32 = 1u;
const SMOOTH: u32 = 2u;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var labels: texture_2d<u32>;
@group(0) @binding(2) var palette: texture_2d<f32>;
@group(0) @binding(3) var sketch: texture_2d<f32>;
@group(0) @binding(4) var onion: texture_2d<f32>;
@group(0) @binding(5) var picture: texture_2d<f32>;
@group(0) @binding(6) var area: texture_2d<u32>;
@group(0) @binding(7) var smoothly: sampler;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
};

// One triangle that covers the viewport.
@vertex
fn vs(@builtin(vertex_index) i: u32) -> Corner {
    let uv = vec2f(f32((i << 1u) & 2u), f32(i & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

// Reading beyond a texture is undefined: the nearest pixel stands in.
fn pixel(p: vec2f) -> vec2i {
    return clamp(vec2i(floor(p)), vec2i(0), vec2i(view.canvas) - 1);
}

fn label(p: vec2f) -> u32 {
    return textureLoad(labels, pixel(p), 0).r;
}

fn light(c: vec3f) -> f32 {
    return dot(c, vec3f(0.299, 0.587, 0.114));
}

// Stripes of a direction and width of their own for each class, in screen pixels.
fn hatched(c: vec3f, index: u32, at: vec2f) -> vec3f {
    let kind = (index * 7u) % 19u;
    var along = at.x;
    switch kind % 4u {
        case 1u: { along = at.y; }
        case 2u: { along = (at.x + at.y) * 0.7071; }
        case 3u: { along = (at.x - at.y) * 0.7071; }
        default: {}
    }
    let width = 5.0 + 2.0 * f32(kind / 4u);
    if fract(along / width) > 0.28 {
        return c;
    }
    return mix(c, vec3f(select(1.0, 0.0, light(c) > 0.45)), 0.38);
}

// Colour and opacity of the mask at a point, colour multiplied by opacity.
fn class_colour(p: vec2f, at: vec2f) -> vec4f {
    var index = label(p);
    let hidden = (view.hidden & (1u << index)) != 0u;
    var strength = view.mask * select(1.0, view.ground.a, index == 0u);
    if hidden {
        strength = 0.0;
    }
    var c = textureLoad(palette, vec2i(i32(index), 0), 0).rgb;
    if (view.flags & HATCH) != 0u && index != 0u {
        c = hatched(c, index, at);
    }
    if view.lit < 19u && index != view.lit {
        c = mix(c, vec3f(light(c) * 0.35 + 0.08), 0.8);
    }
    return vec4f(c, 1.0) * strength;
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4f {
    let p = view.origin + corner.uv.x * view.right + corner.uv.y * view.down;
    let beyond = max(max(-p.x, p.x - view.canvas.x), max(-p.y, p.y - view.canvas.y));
    if beyond >= 0.0 {
        let line = clamp(1.5 - beyond / view.px, 0.0, 1.0);
        return vec4f(mix(view.surround.rgb, view.edge.rgb, line), 1.0);
    }
    let at = corner.position.xy;
    let place = p / view.canvas;
    var c = view.ground.rgb;
    // ..Level: no derivatives, so it may stand in a branch.
    if p.x > view.split {
        return vec4f(textureSampleLevel(picture, smoothly, place, 0.0).rgb, 1.0);
    }
    if view.onion > 0.0 {
        c = mix(c, textureSampleLevel(onion, smoothly, place, 0.0).rgb, view.onion);
    }
    if view.picture > 0.0 {
        c = mix(c, textureSampleLevel(picture, smoothly, place, 0.0).rgb, view.picture);
    }
    if view.mask > 0.0 {
        var mask: vec4f;
        if (view.flags & SMOOTH) != 0u {
            // Class numbers cannot be filtered, their colours can: four points of the screen pixel.
            let x = normalize(view.right) * view.px * 0.25;
            let y = normalize(view.down) * view.px * 0.25;
            mask = 0.25 * (class_colour(p - x - y, at) + class_colour(p + x - y, at)
                + class_colour(p - x + y, at) + class_colour(p + x + y, at));
        } else {
            mask = class_colour(p, at);
        }
        c = c * (1.0 - mask.a) + mask.rgb;
    }
    if view.sketch > 0.0 {
        var grey = textureSampleLevel(sketch, smoothly, place, 0.0).r;
        if view.px < 0.34 {
            grey = textureLoad(sketch, pixel(p), 0).r;
        }
        c *= mix(1.0, grey, view.sketch);
    }
    if view.contour > 0.0 {
        // White on one side of a border and black on the other: seen on any picture.
        let own = label(p);
        let d = view.px;
        let around = vec4u(label(p + vec2f(d, 0.0)), label(p - vec2f(d, 0.0)),
            label(p + vec2f(0.0, d)), label(p - vec2f(0.0, d)));
        if any(around < vec4u(own)) {
            c = mix(c, vec3f(1.0), view.contour);
        } else if any(around > vec4u(own)) {
            c = mix(c, vec3f(0.0), view.contour * 0.7);
        }
    }
    if view.area > 0.0 && textureLoad(area, pixel(p), 0).r != 0u {
        let stripe = step(0.5, fract((at.x + at.y) / 9.0));
        c = mix(c, vec3f(stripe), view.area);
    }
    return vec4f(c, 1.0);
}
