"""Losses of the training stages."""

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional


def average_over_processes(total: Tensor) -> Tensor:
    """Return the mean of a batch's total over the processes of a training.

    What a loss is divided by, where that differs between batches: the gradient is averaged over
    processes, and is then that of one process with all of their examples.

    Parameters
    ----------
    total
        Depends on the data alone, not on a network.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return total
    summed = total.detach().to(torch.float32).clone()
    distributed.all_reduce(summed)
    return summed / distributed.get_world_size()


def compute_soft_segmentation_loss(
    logits: Tensor, shares: Tensor, *, dice_weight: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return cross-entropy plus soft Dice against the share of each class in each voxel.

    With shares rather than one label a voxel, sums of the predicted probabilities estimate volumes
    finer than a voxel. Dice learns small structures sooner, and makes uncertain ones too large
    (Bertels et al. 2019, arXiv 1911.02278); cross-entropy alone leaves volumes unbiased.

    Parameters
    ----------
    logits, shares
        (B, classes, x, y, z); shares sum to 1 over the classes.
    dice_weight
        Of the Dice term; cross-entropy has weight 1.
    """
    entropy = -(shares * logits.log_softmax(1)).sum(1).mean()
    probabilities = logits.softmax(1)
    # crop by crop, so that it does not hang on how crops are dealt out to devices
    axes = (2, 3, 4)
    present = shares.sum(axes) > 8
    # L1 Dice: unlike the product form, its optimum is the share itself where shares are fractions
    overlap = 1 - (probabilities - shares).abs().sum(axes) / (
        probabilities.sum(axes) + shares.sum(axes)
    ).clamp(min=1)
    dice_loss = 1 - overlap[present].sum() / average_over_processes(present.sum().clamp(min=1))
    return entropy + dice_weight * dice_loss, {"cross_entropy": entropy, "dice_loss": dice_loss}


def compute_reconstruction_loss(
    decoded: Tensor, images: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the mean absolute difference, weighted voxel by voxel, (B, 1, x, y, z)."""
    difference = (decoded - images).abs()
    if weights is None:
        return difference.mean()
    weights = weights.expand_as(difference)
    return (weights * difference).sum() / average_over_processes(weights.sum())


def compute_change_loss(decoded: Tensor, images: Tensor, weights: Tensor) -> Tensor:
    """Return the share of the change between two visits that their decoded difference misses.

    0 where the difference of the reconstructions is that of the scans, 1 where it is nothing.

    Parameters
    ----------
    decoded, images, weights
        (2 B, channels, x, y, z), weights (2 B, 1, x, y, z): two visits of a person, one after the
        other.
    """
    true = images[1::2] - images[::2]
    missed = weights[::2] * (decoded[1::2] - decoded[::2] - true) ** 2
    # what rounding to 8 bits leaves of a difference that is none
    rounding = weights[::2] * 1e-5
    return missed.sum() / average_over_processes((weights[::2] * true**2 + rounding).sum())


def compute_kl_loss(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return the divergence from N(0, 1), summed over a sample's latent, averaged over samples."""
    terms = mean**2 + sigma**2 - torch.log(sigma**2) - 1
    return 0.5 * terms.flatten(1).sum(1).mean()


def compute_feature_loss(network: nn.Module, decoded: Tensor, images: Tensor) -> Tensor:
    """Return how differently a segmenter sees the reconstruction, a perceptual loss.

    Parameters
    ----------
    network
        A segmenter with frozen weights; the distance is between its class probabilities, so it
        weighs what moves a boundary rather than what moves a grey value.
    decoded
        Reconstructions, (B, channels, x, y, z); the segmenter sees the first channel.
    images
        What they should be, of the same shape.
    """
    with torch.no_grad():
        target = network(images[:, :1]).float().softmax(1)
    logits = network(decoded[:, :1]).float()
    return functional.kl_div(logits.log_softmax(1), target, reduction="none").sum(1).mean()
