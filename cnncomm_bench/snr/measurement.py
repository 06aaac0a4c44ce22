"""The SNR of a disturbed image: signal and noise power, and dB.

All images are tensors of shape-(N, C, H, W). The SNR of an image is formula (1) of Ge et al.,

    SNR(dB) = 10 log10( sum(clean^2) / sum((clean - disturbed)^2) ),

over all the pixel values of that image. The noise is what remains of it *after* clipping to
valid pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

_RUN = 64


def power(images: Tensor) -> Tensor:
    """Sum of squares of each image.

    Parameters
    ----------
    images : Tensor, shape-(N, ...)

    Returns
    -------
    Tensor, shape-(N,), float64

    Raises
    ------
    ValueError
        An image holds NaN or an infinite value; its index is named.
    """
    flat = images.flatten(1)
    values = (flat if flat.dtype == torch.float64 else flat.float()).square()
    # Sums of 64 in the images' own dtype, and these in double: as good as doubles all the way, without their copy.
    whole = values.shape[1] // _RUN
    runs = values[:, : whole * _RUN].reshape(len(values), whole, _RUN).sum(2)
    squares: Tensor = runs.sum(1, dtype=torch.float64) + values[:, whole * _RUN :].sum(1, dtype=torch.float64)
    _refuse(~torch.isfinite(squares), "holds NaN or infinite pixel values")
    return squares


def measure(clean: Tensor, disturbed: Tensor) -> Tensor:
    """SNR of each disturbed image, formula (1) of Ge et al.

    Parameters
    ----------
    clean, disturbed : Tensor, shape-(N, ...)

    Returns
    -------
    Tensor, shape-(N,), float64
        In dB; inf where the two images are the same.

    Raises
    ------
    ValueError
        Shapes differ, or an image is of zero power or holds NaN; its index is named.

    Examples
    --------
    >>> measure(torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 0.55)).round(decimals=2)
    tensor([20.], dtype=torch.float64)
    """
    if clean.shape != disturbed.shape:
        raise ValueError(f"clean images of shape {tuple(clean.shape)}, disturbed {tuple(disturbed.shape)}")
    signal = _signal_power(clean)
    noise = power(disturbed - clean)
    return 10 * torch.log10(signal / noise)


def radius(clean: Tensor, snr_db: float | Tensor) -> Tensor:
    """L2 norm of the noise that an SNR allows: ||x|| 10^(-SNR/20).

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : float or Tensor
        In dB; broadcast against shape-(N,).

    Returns
    -------
    Tensor, float64
        Shape-(N,), or as `snr_db` broadcasts.
    """
    target = torch.as_tensor(snr_db, dtype=torch.float64, device=clean.device)
    return _signal_power(clean).sqrt() * 10 ** (-target / 20)


def noise_power(clean: Tensor, snr_db: float | Tensor) -> Tensor:
    """Sum of squares that noise of each SNR has on each image.

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : float or Tensor
        A number, shape-(K,), (1, N) or (K, N), dB.

    Returns
    -------
    Tensor, shape-(K, N), float64

    Raises
    ------
    ValueError
        A target is NaN or of another shape, an image is of zero power or holds NaN.
    """
    target = torch.as_tensor(snr_db, dtype=torch.float64, device=clean.device)
    if target.isnan().any():
        raise ValueError("an SNR is NaN")
    if target.ndim < 2:
        target = target.reshape(-1, 1)
    elif target.ndim > 2 or target.shape[1] != len(clean):
        raise ValueError(
            f"SNRs of shape {tuple(target.shape)} for {len(clean)} images: expected a number, (K,), (1, N) or (K, N)"
        )
    return _signal_power(clean) * 10 ** (-target / 10)


def _signal_power(clean: Tensor) -> Tensor:
    signal = power(clean)
    _refuse(signal == 0, "has zero power, so that no SNR is defined")
    return signal


def _refuse(bad: Tensor, what: str) -> None:
    if bad.any():
        indices = bad.nonzero().flatten().tolist()
        shown = ", ".join(map(str, indices[:5])) + (", ..." if len(indices) > 5 else "")
        raise ValueError(f"image {shown} {what}")
