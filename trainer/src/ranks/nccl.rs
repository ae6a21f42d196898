//! Sums between NVIDIA cards, by NCCL on each device's own stream. Type-checked, never run: no
//! machine with two cards was at hand.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::nccl::result::NcclError;
use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp};
use candle_core::{CpuStorage, CudaDevice, CudaStorage, CustomOp1, Device, Layout, Shape, Tensor};
use mmface_engine::{Error, Result};

use super::collective::{Collective, Engine, ID_BYTES};

/// The way into a collective of this card; `None` for another kind of device.
pub(super) fn engine(device: &Device) -> Option<Box<dyn Engine>> {
    match device {
        Device::Cuda(card) => Some(Box::new(Card(card.clone()))),
        _ => None,
    }
}

struct Card(CudaDevice);

impl Engine for Card {
    fn id(&self) -> Result<[u8; ID_BYTES]> {
        let id = Id::new().map_err(|error| failed("make an id", &error))?;
        Ok(id.internal().map(|byte| byte as u8))
    }

    fn open(&self, rank: usize, ranks: usize, id: [u8; ID_BYTES]) -> Result<Box<dyn Collective>> {
        let stream = self.0.cuda_stream();
        // NCCL takes the card that is current in this thread.
        stream.context().bind_to_thread().map_err(|error| {
            Error::Device(format!("rank {rank} cannot reach its card: {error}"))
        })?;
        let id = Id::uninit(id.map(|byte| byte as std::ffi::c_char));
        let comm = Comm::from_rank(stream, rank, ranks, id)
            .map_err(|error| failed("join the other cards (each rank needs its own)", &error))?;
        Ok(Box::new(Cards(comm)))
    }
}

#[derive(Debug)]
struct Cards(Comm);

impl Collective for Cards {
    fn sum(&self, flat: &Tensor) -> Result<Tensor> {
        Ok(flat.contiguous()?.apply_op1_no_bwd(&AllReduce(&self.0))?)
    }
}

/// The sum over all cards, as an operation on a contiguous f32 tensor.
struct AllReduce<'a>(&'a Comm);

impl CustomOp1 for AllReduce<'_> {
    fn name(&self) -> &'static str {
        "all-reduce"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("NCCL adds tensors of CUDA devices, not of the CPU")
    }

    fn cuda_fwd(
        &self,
        storage: &CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        let device = storage.device();
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("NCCL adds contiguous tensors")
        };
        let source = storage.as_cuda_slice::<f32>()?.slice(start..end);
        // SAFETY: the all-reduce writes every value before anything reads it, on the same stream.
        let mut target = unsafe { device.alloc::<f32>(end - start) }?;
        self.0
            .all_reduce(&source, &mut target, &ReduceOp::Sum)
            .map_err(|error| candle_core::Error::Msg(message("add the gradients", &error)))?;
        let sum = CudaStorage::wrap_cuda_slice(target, device.clone());
        Ok((sum, layout.shape().clone()))
    }
}

fn failed(what: &str, error: &NcclError) -> Error {
    Error::Device(message(what, error))
}

fn message(what: &str, error: &NcclError) -> String {
    format!(
        "NCCL cannot {what}: {:?}; NCCL_DEBUG=INFO says more",
        error.0
    )
}
