"""Compressed audio: what the Descript audio codec (DAC) makes of a waveform. The codec is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.functional import pad

from .base import FrontEnd, full_precision

if TYPE_CHECKING:
    from transformers import DacConfig, DacModel

EXAMPLE = "descript/dac_16khz"


class DacLatents(FrontEnd):
    """Latents of the codec: what its quantisers are given, all of them side by side, then a learned linear layer.

    Frame i is what the codec makes of the samples around `i * hop_length`.

    Parameters
    ----------
    sample_rate : int
        That of the codec.
    model : str, optional
        Where its weights are: a folder written by `save_pretrained` of transformers, or a name on the Hugging Face hub.
    architecture : mapping, optional
        Numbers of transformers' `DacConfig`, instead of `model`, for weights that come with a checkpoint.
    num_features : int
        Size of the linear layer.

    Raises
    ------
    ImportError
        If transformers is not installed.
    FileNotFoundError
        If there are no weights where `model` says.
    ValueError
        If they are of another kind, or of another sample rate.

    Source
    ------
    Kumar et al. 2023 (arXiv 2306.06546), through transformers.
    """

    ARCHITECTURE = (
        "encoder_hidden_size",
        "downsampling_ratios",
        "n_codebooks",
        "codebook_size",
        "codebook_dim",
        "sampling_rate",
    )

    def __init__(
        self,
        sample_rate: int = 16000,
        model: str | None = None,
        architecture: Mapping[str, Any] | None = None,
        num_features: int = 80,
    ) -> None:
        codec = _codec(model, architecture)
        config: DacConfig = codec.config
        if config.sampling_rate != sample_rate:
            raise ValueError(
                f"this codec hears {config.sampling_rate} Hz, and the model {sample_rate} Hz; "
                f"take a codec of {sample_rate} Hz" + (f", such as {EXAMPLE}." if sample_rate == 16000 else ".")
            )
        strides = list(config.downsampling_ratios)
        super().__init__(sample_rate, prod(strides), _window_length(strides), num_features)
        self.architecture = {name: getattr(config, name) for name in self.ARCHITECTURE}
        self.architecture["downsampling_ratios"] = strides
        # middle of the samples that the codec's first frame is made of: a stride s reads 2 s, from -ceil(s / 2) on
        self.offset = round(sum(prod(strides[:i]) * (stride // 2 - 0.5) for i, stride in enumerate(strides)))
        self.encoder, self.quantizer = codec.encoder, codec.quantizer  # nobody needs its decoder
        for part in (self.encoder, self.quantizer):
            part.requires_grad_(False)
        num_latents = config.n_codebooks * config.codebook_dim
        self.norm = nn.BatchNorm1d(num_latents)
        self.project = nn.Linear(num_latents, num_features)

    def remembered(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in parameters.items() if k != "model"}, "architecture": self.architecture}

    def train(self, mode: bool = True) -> DacLatents:
        super().train(mode)
        self.encoder.eval()
        self.quantizer.eval()  # which leaves out quantisers at random otherwise
        return self

    def compressed(self, encoded: Tensor) -> Tensor:
        """(batch, feature, frame), of what the encoder says."""
        _, _, latents, *_ = self.quantizer(encoded)
        return latents

    def forward(self, waveforms: Tensor) -> Tensor:
        with full_precision(waveforms):
            num_frames = self.num_frames(waveforms.shape[-1])
            # one frame more than is kept, so that the last one sees all there is
            missing = (num_frames + 1) * self.hop_length - self.offset - waveforms.shape[-1]
            encoded = self.encoder(pad(waveforms.float(), (self.offset, missing)))[..., :num_frames]
            return self.project(self.norm(self.compressed(encoded)).transpose(1, 2))


class DacCodes(DacLatents):
    """Codes of the codec, each as the vector that its codebook has for it. For parameters, see `DacLatents`."""

    def compressed(self, encoded: Tensor) -> Tensor:
        _, codes, *_ = self.quantizer(encoded)
        return self.quantizer.from_codes(codes)[1]


def _window_length(strides: list[int]) -> int:
    """Samples that one frame sees: before each stride s of kernel 2 s, three units of kernel 7 and dilation 1, 3, 9."""
    seen, hop = 1 + 6, 1
    for stride in strides:
        seen += hop * (6 * (1 + 3 + 9) + 2 * stride - 1)
        hop *= stride
    return seen + 2 * hop


def _codec(model: str | None, architecture: Mapping[str, Any] | None) -> DacModel:
    """The codec with its weights, or as one whose weights will be loaded."""
    try:
        from transformers import DacConfig, DacModel
    except ImportError:
        raise ImportError(
            "front-ends of compressed audio need transformers: pip install 'pyannote-pix2seq[codec]'."
        ) from None
    if (model is None) == (architecture is None):
        raise ValueError(
            "front-ends of compressed audio take the weights of a codec: "
            f"front_end_parameters={{model: ...}}, a folder with a DacModel or a name on the hub, such as {EXAMPLE}."
        )
    if architecture is not None:
        # its decoder, which is not kept, as small as it gets
        small = 2 ** len(architecture["downsampling_ratios"])
        return DacModel(DacConfig(**architecture, decoder_hidden_size=small)).eval()
    assert model is not None
    would_do = f"expected a folder with config.json and model.safetensors of a DacModel, or a name such as {EXAMPLE}"
    if not Path(model).is_dir() and model.count("/") != 1:
        raise FileNotFoundError(f"codec {model!r}: there is no such folder; {would_do}.")
    try:
        found, _ = DacConfig.get_config_dict(model)
        if not found:
            raise OSError("there is no config.json")
        if found.get("model_type") != DacConfig.model_type:
            raise ValueError(f"codec {model!r}: is a {found.get('model_type')!r} model; {would_do}.")
        codec, loaded = DacModel.from_pretrained(model, use_safetensors=True, output_loading_info=True)
    except OSError as error:
        raise FileNotFoundError(
            f"codec {model!r}: cannot be loaded ({str(error).splitlines()[0]}); {would_do}."
        ) from None
    if loaded["missing_keys"]:
        raise ValueError(f"codec {model!r}: weights are missing, such as {min(loaded['missing_keys'])}; {would_do}.")
    return codec.eval()
