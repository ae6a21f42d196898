//! The transformer as a set of trained tensors: initialisation, and gradients with or without
//! keeping what each block needs.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::VarBuilder;
use mmface_engine::kernels::RopeTable;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::{Block, Dit, DitConfig, DitInput};
use rand_chacha::ChaCha8Rng;

use crate::config::Checkpointing;
use crate::data::batches::Batch;
use crate::objective::Target;
use crate::optim::{Gradients, Parameters};
use crate::rng::{Purpose, fill_normal, stream, uniform};

/// Weights before the first update (docs/reference.md section 1, Initialisation).
///
/// # Errors
/// When the device has no memory for them.
pub fn initialise(config: &DitConfig, seed: u64, device: &Device) -> Result<Parameters> {
    let shapes: HashMap<String, Vec<usize>> = config.tensors().into_iter().collect();
    let mut names: Vec<&String> = shapes.keys().collect();
    names.sort();
    let mut parameters = Parameters::new();
    for (index, name) in names.into_iter().enumerate() {
        let mut rng = stream(seed, Purpose::Init, index as u64);
        let values = initial_values(name, &shapes, &mut rng);
        parameters.insert(
            name.clone(),
            Var::from_vec(values, shapes[name].as_slice(), device)?,
        );
    }
    Ok(parameters)
}

fn initial_values(
    name: &str,
    shapes: &HashMap<String, Vec<usize>>,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let shape = &shapes[name];
    let mut values = vec![0f32; shape.iter().product()];
    let fan_in = |shape: &[usize]| shape[1..].iter().product::<usize>();
    let mut spread = |bound: f64, values: &mut [f32]| {
        for value in values {
            *value = ((2.0 * f64::from(uniform(rng)) - 1.0) * bound) as f32;
        }
    };
    if name.contains("adaLN_modulation")
        || name.starts_with("final_layer.")
        || name.ends_with("null_feature_pooled")
    {
        // Zero: the untrained model answers 0 everywhere.
    } else if name == "x_embedder.proj.weight" {
        let bound = (6.0 / (shape[0] + fan_in(shape)) as f64).sqrt();
        spread(bound, &mut values);
    } else if matches!(
        name,
        "x_embedder.proj.bias" | "c_embedder.proj.bias" | "clip_seq_proj.bias"
    ) {
        // Zero.
    } else if matches!(
        name,
        "t_embedder.mlp.0.weight"
            | "t_embedder.mlp.2.weight"
            | "c_embedder.proj.weight"
            | "clip_seq_proj.weight"
            | "modality_embedder.weight"
    ) {
        fill_normal(rng, &mut values);
        values.iter_mut().for_each(|value| *value *= 0.02);
    } else {
        // torch's linear layer: uniform within one over the root of the number of inputs, bias too.
        let weight = name
            .strip_suffix(".bias")
            .map(|stem| format!("{stem}.weight"));
        let inputs = fan_in(
            weight
                .as_ref()
                .and_then(|weight| shapes.get(weight))
                .unwrap_or(shape),
        );
        spread(1.0 / (inputs as f64).sqrt(), &mut values);
    }
    values
}

/// Builds the transformer on tensors by name. When it is trainable, gradients reach the variables
/// whose tensors these are.
///
/// # Shapes
/// - tensors: those of [`DitConfig::tensors`]
///
/// # Errors
/// When a tensor is missing or has another shape, or the route has no kernels for the device.
pub fn load(
    config: &DitConfig,
    tensors: &BTreeMap<String, Tensor>,
    options: LoadOptions,
    device: &Device,
) -> mmface_engine::Result<Dit> {
    let map: HashMap<String, Tensor> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.clone()))
        .collect();
    let vb = VarBuilder::from_tensors(map, DType::F32, device);
    Ok(Dit::load(vb, config.clone(), options)?)
}

/// The parameters' tensors; clones keep their identity, so that gradients find them.
///
/// # Shapes
/// - results: those of the parameters
pub fn tensors(parameters: &Parameters) -> BTreeMap<String, Tensor> {
    parameters
        .iter()
        .map(|(name, parameter)| (name.clone(), parameter.as_tensor().clone()))
        .collect()
}

/// Pooled text with the dropped rows replaced by the null feature, differentiably.
fn pooled(dit: &Dit, batch: &Batch) -> Result<Tensor> {
    let drop = batch.drop_pooled.unsqueeze(1)?;
    let kept = batch.pooled.broadcast_mul(&(1.0 - &drop)?)?;
    kept + drop.broadcast_mul(&dit.null_pooled().unsqueeze(0)?)?
}

/// The model's answer to a batch.
///
/// # Shapes
/// - noisy: `[batch, channels, side, side]`, result: `[batch, out channels, side, side]`
///
/// # Errors
/// When the batch's shapes do not fit.
pub fn predict(dit: &Dit, batch: &Batch, noisy: &Tensor) -> Result<Tensor> {
    let latent = Tensor::cat(&[noisy, &batch.condition], 1)?;
    let pooled = pooled(dit, batch)?;
    dit.forward(&DitInput {
        latent: &latent,
        time: &batch.time,
        pooled: &pooled,
        sequence: &batch.sequence,
        modality: &batch.modality,
    })
}

/// Loss of a batch; its gradients, times `scale`, are added to `gradients`.
///
/// # Errors
/// When the batch's shapes do not fit, or memory does not suffice.
pub fn backward(
    dit: &Dit,
    parameters: &Parameters,
    batch: &Batch,
    target: &Target,
    scale: f64,
    checkpointing: Checkpointing,
    gradients: &mut Gradients,
) -> Result<f32> {
    if checkpointing != Checkpointing::None {
        return backward_by_block(
            dit,
            parameters,
            batch,
            target,
            scale,
            checkpointing,
            gradients,
        );
    }
    let loss = target.loss(&predict(dit, batch, &target.noisy)?)?;
    let mut store = scaled(&loss, scale)?.backward()?;
    take_gradients(dit, parameters, &mut store, gradients)?;
    loss.to_scalar()
}

/// Moves the gradients of the parameters out of a backward pass, added to those already there.
///
/// They are detached: a gradient made by a plain operation keeps the graph behind it alive.
fn take_gradients(
    dit: &Dit,
    parameters: &Parameters,
    from: &mut GradStore,
    into: &mut Gradients,
) -> Result<()> {
    for (name, parameter) in parameters {
        let both = [from.remove(parameter), dit.take_leaf_gradient(parameter)];
        for gradient in both.into_iter().flatten() {
            let sum = match into.get(name) {
                Some(before) => (before + gradient)?,
                None => gradient,
            };
            into.insert(name.clone(), sum.detach());
        }
    }
    Ok(())
}

fn scaled(loss: &Tensor, scale: f64) -> Result<Tensor> {
    if scale == 1.0 {
        Ok(loss.clone())
    } else {
        loss * scale
    }
}

/// A tensor cut off its graph that still collects a gradient.
fn leaf(tensor: &Tensor) -> Result<Var> {
    Var::from_tensor(&tensor.detach())
}

fn remove(store: &mut GradStore, leaf: &Var) -> Result<Tensor> {
    match store.remove(leaf) {
        Some(gradient) => Ok(gradient.detach()),
        None => bail!("a block input got no gradient"),
    }
}

/// One block on cut-off inputs, with the graph between its inputs and its outputs.
struct Segment {
    image: Var,
    text: Var,
    condition: Var,
    outputs: (Tensor, Tensor),
}

impl Segment {
    fn new(
        block: &Block,
        inputs: &(Tensor, Tensor),
        fixed: &Tensor,
        rope: Option<&RopeTable>,
    ) -> Result<Self> {
        let (image, text, condition) = (leaf(&inputs.0)?, leaf(&inputs.1)?, leaf(fixed)?);
        let modulation = block.modulation(&condition)?;
        let outputs = block.forward(&image, &text, &modulation, rope)?;
        Ok(Self {
            image,
            text,
            condition,
            outputs,
        })
    }

    /// The block's inputs for the next run of it, or for the block after it.
    fn detached(&self) -> (Tensor, Tensor) {
        (self.outputs.0.detach(), self.outputs.1.detach())
    }
}

/// What is kept of a block until its backward pass.
enum Kept {
    /// Its inputs, to run it again.
    Inputs((Tensor, Tensor)),
    /// Everything.
    Graph(Box<Segment>),
}

/// The same gradients block by block: of some blocks the first pass keeps the inputs only, and the
/// second runs them again. A block's outputs times their incoming gradients, summed, have the
/// vector-Jacobian product as their gradient.
fn backward_by_block(
    dit: &Dit,
    parameters: &Parameters,
    batch: &Batch,
    target: &Target,
    scale: f64,
    checkpointing: Checkpointing,
    gradients: &mut Gradients,
) -> Result<f32> {
    let latent = Tensor::cat(&[&target.noisy, &batch.condition], 1)?;
    let first_image = dit.embed_latent(&latent)?;
    let first_text = dit.embed_text(&batch.sequence)?;
    let condition = dit.condition(&batch.time, &pooled(dit, batch)?, &batch.modality)?;
    let grid = (latent.dim(3)?) / dit.config().patch;
    let rope = dit.rope(grid, first_text.dim(1)?)?;
    let rope = rope.as_deref();
    let fixed = condition.detach();
    let mut kept = Vec::with_capacity(dit.blocks().len());
    let inputs = (first_image.detach(), first_text.detach());
    let outputs = dit.through_blocks(inputs, |index, block, inputs| {
        let segment = Segment::new(block, &inputs, &fixed, rope)?;
        let next = segment.detached();
        kept.push(if checkpointing.again(index, dit.blocks().len()) {
            Kept::Inputs(inputs)
        } else {
            Kept::Graph(Box::new(segment))
        });
        Ok(next)
    })?;

    let (image, block_condition) = (leaf(&outputs.0)?, leaf(&fixed)?);
    drop(outputs);
    let answer = dit.head(&image, &dit.final_modulation(&block_condition)?)?;
    let loss = target.loss(&answer)?;
    let mut store = scaled(&loss, scale)?.backward()?;
    let mut image_gradient = remove(&mut store, &image)?;
    let mut condition_gradient = remove(&mut store, &block_condition)?;
    // The text stream ends before the head.
    let mut text_gradient: Option<Tensor> = None;
    take_gradients(dit, parameters, &mut store, gradients)?;

    for block in dit.blocks().iter().rev() {
        let segment = match kept.pop() {
            Some(Kept::Graph(segment)) => *segment,
            Some(Kept::Inputs(inputs)) => Segment::new(block, &inputs, &fixed, rope)?,
            None => bail!("a block without input"),
        };
        let (image_out, text_out) = &segment.outputs;
        let mut product = (image_out * &image_gradient)?.sum_all()?;
        if let Some(gradient) = &text_gradient {
            product = (product + (text_out * gradient)?.sum_all()?)?;
        }
        let mut store = product.backward()?;
        image_gradient = remove(&mut store, &segment.image)?;
        text_gradient = Some(remove(&mut store, &segment.text)?);
        condition_gradient =
            (condition_gradient + remove(&mut store, &segment.condition)?)?.detach();
        take_gradients(dit, parameters, &mut store, gradients)?;
    }

    let mut product = ((&first_image * &image_gradient)?.sum_all()?
        + (&condition * &condition_gradient)?.sum_all()?)?;
    if let Some(gradient) = &text_gradient {
        product = (product + (&first_text * gradient)?.sum_all()?)?;
    }
    take_gradients(dit, parameters, &mut product.backward()?, gradients)?;
    loss.to_scalar()
}
