"""What XLA needs to know of a graphics card to compile for it where there is none.

The figures are NVIDIA's own: CUDA C++ Programming Guide (technical specifications per compute
capability) and the cards' data sheets.
"""

from dataclasses import dataclass

#: CUDA and cuDNN that the compiler may count on.
CUDA, DNN = (12, 9, 0), (9, 10, 0)


@dataclass(frozen=True)
class Card:
    """A card's limits, and the speeds that a kernel's shortest time follows from."""

    name: str
    capability: str
    multiprocessors: int
    lanes: int
    threads: int
    shared_memory: int
    shared_memory_per_block: int
    l2_cache: int
    memory: int
    #: bytes per second of the card's own memory
    bandwidth: float
    #: floating-point operations per second of a matrix product, float32 and TF32 (dense)
    float32: float
    tf32: float

    def target(self) -> str:
        """XLA's description of the card, in protobuf's text form."""
        major, minor = self.capability.rstrip("a").split(".")
        feature = " feature_extension: ACCELERATED_FEATURES" if self.capability[-1] == "a" else ""
        version = ".".join(map(str, CUDA))
        return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: {self.shared_memory}
  shared_memory_per_block_optin: {self.shared_memory_per_block}
  threads_per_core_limit: {self.threads}
  core_count: {self.multiprocessors}
  fpus_per_core: {self.lanes}
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  thread_dim_limit_x: 1024
  thread_dim_limit_y: 1024
  thread_dim_limit_z: 64
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  memory_bandwidth: {self.bandwidth:.0f}
  l2_cache_size: {self.l2_cache}
  clock_rate_ghz: 1.98
  device_memory_size: {self.memory}
  cuda_compute_capability {{ major: {major} minor: {minor}{feature} }}
  device_vendor: "NVIDIA Corporation"
  platform_version: "Compute Capability {self.capability}"
  device_address_bits: 64
  ecc_enabled: true
  name: "{self.name}"
  driver_version: "{version}"
  runtime_version: "{version}"
  compile_time_toolkit_version: "{version}"
  dnn_version: "{".".join(map(str, DNN))}"
}}
platform_name: "CUDA"
dnn_version_info {{ major: {DNN[0]} minor: {DNN[1]} }}
runtime_version {{ major: {CUDA[0]} minor: {CUDA[1]} patch: {CUDA[2]} }}
device_description_str: "{self.name}"
"""


_KIB, _MIB, _GIB = 2**10, 2**20, 2**30
CARDS = {
    "h100": Card(
        "NVIDIA H100 80GB HBM3",
        "9.0a",
        multiprocessors=132,
        lanes=128,
        threads=2048,
        shared_memory=228 * _KIB,
        shared_memory_per_block=227 * _KIB,
        l2_cache=50 * _MIB,
        memory=79 * _GIB,
        bandwidth=3.35e12,
        float32=67e12,
        tf32=494e12,
    ),
    "a100": Card(
        "NVIDIA A100-SXM4-80GB",
        "8.0",
        multiprocessors=108,
        lanes=64,
        threads=2048,
        shared_memory=164 * _KIB,
        shared_memory_per_block=163 * _KIB,
        l2_cache=40 * _MIB,
        memory=79 * _GIB,
        bandwidth=2.039e12,
        float32=19.5e12,
        tf32=156e12,
    ),
    "l40s": Card(
        "NVIDIA L40S",
        "8.9",
        multiprocessors=142,
        lanes=128,
        threads=1536,
        shared_memory=100 * _KIB,
        shared_memory_per_block=99 * _KIB,
        l2_cache=96 * _MIB,
        memory=44 * _GIB,
        bandwidth=0.864e12,
        float32=91.6e12,
        tf32=183e12,
    ),
}
