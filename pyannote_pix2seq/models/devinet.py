"""DeviNet: gated convolutions and a gated bidirectional GRU that detect classes frame by frame.

Sources: Xu et al. 2018, "Large-scale weakly supervised audio classification using gated convolutional neural
network" (arXiv 1710.00343), and its port for pyannote.audio 1 (2019). Where the two differ, a parameter chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import torch
from pyannote.audio.core.task import Problem, Task
from pyannote.core import SlidingWindow
from torch import Tensor, nn

from ..features import front_end as make_front_end
from .gated import DIRECTIONS, BiGRU, PooledGatedCNN
from .weights import Shippable

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Detection(NamedTuple):
    """What DeviNet says about a batch of chunks.

    frames : (batch, frame, class) probabilities (log-probabilities for mono-label tasks).
    attention : (batch, frame, class), sums to one over frames; None without an attention head.
    clips : (batch, class) probabilities that the class occurs in the chunk; None without an attention head.
    """

    frames: Tensor
    attention: Tensor | None = None
    clips: Tensor | None = None


def attend(frames: Tensor, attention: Tensor) -> Tensor:
    """Probability that a class occurs in a chunk: the mean of its frames, weighted by attention.

    Parameters
    ----------
    frames : (batch, frame, class)
    attention : (batch, frame, class)
        Not negative.

    Returns
    -------
    clips : (batch, class)

    Source
    ------
    arXiv 1710.00343, equation 5; the floor of 1e-7 is the one of its code.
    """
    weight = attention.clamp_min(1e-7)
    return (frames * weight).sum(dim=1) / weight.sum(dim=1)


class DeviNet(Shippable):
    """Front-end > gated convolutions > gated bidirectional GRU > feed-forward > detections (> attention).

    All frequency reductions together have to leave exactly one band:
    prod(layers_pooling) x final_stride x final_pooling = number of bands of the front-end.

    Parameters
    ----------
    front_end : str
        Name of an acoustic front-end (see `pyannote_pix2seq.features.FRONT_ENDS`).
    front_end_parameters : dict, optional
        Its parameters. Defaults to 64 bands for "logmel", else to the front-end's own.
    conv_blocks : int
        Number of blocks of two gated convolutions and a pooling.
    conv_channels : int
        Channels of each gated convolution.
    layers_pooling : list of int
        Bands that become one, for each block.
    final_channels : int
        Channels of the last, ungated convolution.
    final_stride : int
        Its stride in time and in frequency: 2 halves the number of frames.
    final_relu : bool
        Rectify it, as the paper does.
    final_pooling : int
        Bands that become one after it.
    dropout : float
        Between convolutional and recurrent layers.
    recurrent : list of int
        Hidden units of each recurrent layer.
    gated_rnn : bool
        Gate each recurrent layer by a second one.
    directions : {"sum", "concatenate"}
        How the two directions of a recurrent layer are joined: "sum" in the port, "concatenate" in the paper.
    linear_layers : list of int
        Units of each feed-forward layer.
    activation_type : {"tanh", "sigmoid"}
        Activation of the feed-forward layers.
    attention : bool
        Add an attention head: tells which classes occur in a chunk, and can be trained on weak labels. As the paper's,
        but normalised over frames, not over classes.
    sample_rate, num_channels, task
        See `pyannote.audio.Model`.

    Raises
    ------
    ValueError
        If the frequency reductions do not fit the front-end, or a name is unknown.
    """

    def __init__(
        self,
        front_end: str = "logmel",
        front_end_parameters: Mapping[str, Any] | None = None,
        conv_blocks: int = 4,
        conv_channels: int = 64,
        layers_pooling: Sequence[int] = (2, 2, 2, 2),
        final_channels: int = 256,
        final_stride: int = 1,
        final_relu: bool = False,
        final_pooling: int = 4,
        dropout: float = 0.0,
        recurrent: Sequence[int] = (128,),
        gated_rnn: bool = True,
        directions: str = "sum",
        linear_layers: Sequence[int] = (32, 32),
        activation_type: str = "tanh",
        attention: bool = False,
        sample_rate: int = 16000,
        num_channels: int = 1,
        task: Task | None = None,
    ) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels, task=task)
        if front_end_parameters is None:
            front_end_parameters = {"num_mels": 64} if front_end == "logmel" else {}
        # plain lists and dicts, whatever the configuration library hands over: they go into checkpoints
        front_end_parameters = dict(front_end_parameters)
        layers_pooling, recurrent, linear_layers = list(layers_pooling), list(recurrent), list(linear_layers)
        self.save_hyperparameters(
            "front_end", "front_end_parameters", "conv_blocks", "conv_channels", "layers_pooling", "final_channels",
            "final_stride", "final_relu", "final_pooling", "dropout", "recurrent", "gated_rnn", "directions",
            "linear_layers", "activation_type", "attention",
        )  # fmt: skip
        _check_name("activation_type", activation_type, ACTIVATIONS)
        _check_name("directions", directions, DIRECTIONS)

        self.front_end = make_front_end(front_end, sample_rate, **front_end_parameters)
        self.hparams.front_end_parameters = self.front_end.remembered(front_end_parameters)
        _check_reductions(self.front_end.dimension, conv_blocks, layers_pooling, final_stride, final_pooling)

        channels = [1, *[conv_channels] * conv_blocks]
        self.pooled_gcnns = nn.Sequential(
            *(PooledGatedCNN(*sizes) for sizes in zip(channels[:-1], channels[1:], layers_pooling, strict=True))
        )
        self.final_conv = nn.Conv2d(channels[-1], final_channels, kernel_size=3, stride=final_stride, padding=1)
        self.final_relu = nn.ReLU() if final_relu else nn.Identity()
        self.final_pool = nn.MaxPool2d((1, final_pooling))
        self.dropout = nn.Dropout(dropout)

        size = final_channels
        self.gated_bigru = nn.Sequential()
        for hidden_size in recurrent:
            self.gated_bigru.append(BiGRU(size, hidden_size, gated_rnn, directions))
            size = DIRECTIONS[directions] * hidden_size
        self.fc_layers = nn.Sequential()
        for hidden_size in linear_layers:
            self.fc_layers.append(nn.Linear(size, hidden_size))
            self.fc_layers.append(ACTIVATIONS[activation_type]())
            size = hidden_size
        self._hidden_size = size

    @property
    def dimension(self) -> int:
        """Number of outputs of a frame."""
        if len(self.specifications) > 1:
            raise ValueError("DeviNet does not do several tasks at once; train one model for each.")
        if self.specifications.powerset:
            return self.specifications.num_powerset_classes
        return len(self.specifications.classes)

    def build(self) -> None:
        """Add the layers that depend on the task."""
        self.classifier = nn.Linear(self._hidden_size, self.dimension)
        self.activation = self.default_activation()
        if self.hparams.attention:
            if self.specifications.problem is Problem.MONO_LABEL_CLASSIFICATION:
                raise ValueError(
                    "attention=True pools sigmoid detections, so it needs a task with binary or multi-label classes; "
                    "this one is mono-label: use attention=False."
                )
            self.attention = nn.Linear(self._hidden_size, self.dimension)

    def num_frames(self, num_samples: int) -> int:
        """Number of output frames for a number of samples."""
        return 1 + (self.front_end.num_frames(num_samples) - 1) // self.hparams.final_stride

    def receptive_field_size(self, num_frames: int = 1) -> int:
        """Number of samples that the convolutions see for `num_frames` neighbouring output frames."""
        # each of the two convolutions of a block, and the final one, sees one frame further on both sides
        reach = 2 * (2 * self.hparams.conv_blocks + 1)
        return self.front_end.receptive_field_size(1 + reach + (num_frames - 1) * self.hparams.final_stride)

    def receptive_field_center(self, frame: int = 0) -> int:
        """Sample on which an output frame is centred."""
        return self.front_end.receptive_field_center(frame * self.hparams.final_stride)

    @cached_property
    def receptive_field(self) -> SlidingWindow:
        """What pyannote uses to place frames in time: one step, centred on the frame.

        pyannote takes the middle of frame i to be at i x step + duration / 2 after the start of a chunk, which is true
        for unpadded convolutions only. Ours are padded: with the whole receptive field as duration, all
        detections of weakly trained models would come out late by half of it.
        """
        step = (self.receptive_field_center(1) - self.receptive_field_center(0)) / self.hparams.sample_rate
        return SlidingWindow(start=-step / 2, duration=step, step=step)

    def detect(self, waveforms: Tensor) -> Detection:
        """Detect classes in each frame and, with an attention head, in each chunk.

        Parameters
        ----------
        waveforms : (batch, channel, sample)
        """
        features = self.front_end(waveforms)
        maps = self.final_conv(self.pooled_gcnns(features.unsqueeze(1)))
        frames = self.final_pool(self.final_relu(maps)).squeeze(3).transpose(1, 2)
        hidden = self.fc_layers(self.gated_bigru(self.dropout(frames)))
        # in half precision, what is surely there would be exactly 1, from which nothing is learned
        detections = self.activation(self.classifier(hidden).float())
        if not self.hparams.attention:
            return Detection(detections)
        # over frames: the paper's code has it over classes, so that where none of a few occurs one is looked at all the
        # same, and weak labels do not localise (seen with the two of `test_weak_labels_localise`)
        attention = torch.softmax(self.attention(hidden), dim=1)
        return Detection(detections, attention, attend(detections, attention))

    def forward(self, waveforms: Tensor) -> Tensor:
        """(batch, channel, sample) -> (batch, frame, class)."""
        return self.detect(waveforms).frames


def _check_name(parameter: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ValueError(f"unknown {parameter} {name!r}; known: {', '.join(sorted(known))}.")


def _check_reductions(
    num_bands: int, conv_blocks: int, layers_pooling: list[int], final_stride: int, final_pooling: int
) -> None:
    if len(layers_pooling) != conv_blocks:
        raise ValueError(
            f"layers_pooling needs one number for each of the {conv_blocks} convolutional blocks; got {layers_pooling}."
        )
    product = prod(layers_pooling) * final_stride * final_pooling
    if product != num_bands:
        raise ValueError(
            f"prod(layers_pooling) x final_stride x final_pooling must be {num_bands}, the number of bands of the "
            f"front-end; got {' x '.join(map(str, layers_pooling))} x {final_stride} x {final_pooling} = {product}."
        )
