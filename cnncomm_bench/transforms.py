"""Our noise as a transform, so that what disturbs a test can also serve training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import get_worker_info

from ._utils.errors import UsageError
from .attacks import Attack, Noise, NoiseBatch, parse


class AddNoiseAtSNR(nn.Module):
    """Noise at a fixed SNR, for `torchvision.transforms.v2.Compose`.

    It belongs before the normalisation, where pixels are uint8, or floats in [0, 1]. What is not the image, such as
    a label, passes through.

    Parameters
    ----------
    attack : str or Attack
        Name, spec string or object of a noise; an adversary needs a model, which a transform does not have.
    snr_db : float
        SNR of each image, dB.
    ruler : {"realised", "dispersion", "geometric"}
    seed : int
    fresh : bool
        New noise at every call, as training needs it; otherwise an image always gets the same, as a test does. In a
        `DataLoader` with workers, fresh noise follows the workers' seeds, and so `torch.manual_seed`.

    Raises
    ------
    UsageError
        An adversary, or a ruler that the noise does not know.

    Examples
    --------
    >>> from cnncomm_bench import snr
    >>> transform = AddNoiseAtSNR("cauchy", snr_db=20, fresh=False)
    >>> image = torch.full((3, 8, 8), 0.5)
    >>> snr.measure(image[None], transform(image)[None]).round(decimals=3)
    tensor([20.], dtype=torch.float64)
    """

    def __init__(
        self,
        attack: str | Attack = "gaussian",
        snr_db: float = 20.0,
        ruler: str = "realised",
        seed: int = 0,
        fresh: bool = True,
    ) -> None:
        super().__init__()
        noise = parse(attack)
        if not isinstance(noise, Noise):
            raise UsageError(f"{noise.spec} needs a model, which a transform does not have: take a noise, as gaussian")
        if ruler not in noise.rulers:
            raise UsageError(f"ruler={ruler!r}: {noise.spec} knows {', '.join(noise.rulers)}")
        self.attack, self.snr_db, self.ruler, self.seed, self.fresh = noise, float(snr_db), ruler, seed, fresh
        self._calls = 0

    def forward(self, image: Tensor, *others: Any) -> Any:
        """Noisy image.

        Parameters
        ----------
        image : Tensor, shape-(..., C, H, W)
            uint8, or floats in [0, 1]; also a `tv_tensors.Image`.
        *others
            Passed through.

        Returns
        -------
        Tensor, or tuple of it and the others
            Of the image's type, shape and dtype. A uint8 image's noise is rounded to its levels.

        Raises
        ------
        UsageError
            No tensor of images.
        ValueError
            An image is of zero power or holds NaN.
        """
        if (
            not isinstance(image, Tensor)
            or image.ndim < 3
            or not (image.is_floating_point() or image.dtype == torch.uint8)
        ):
            what = f"{tuple(image.shape)} {image.dtype}" if isinstance(image, Tensor) else type(image).__name__
            raise UsageError(
                f"AddNoiseAtSNR takes tensors of shape (..., C, H, W), uint8 or float, not {what}: "
                "put v2.ToImage() before it"
            )
        plain = image.as_subclass(Tensor)
        clean = plain.reshape(-1, *plain.shape[-3:])
        clean = clean.float() / 255 if clean.dtype == torch.uint8 else clean
        batch = NoiseBatch(clean, ruler=self.ruler, seed=self.seed, call=self._call())
        (perturbed,) = self.attack.over(batch, torch.tensor([self.snr_db], dtype=torch.float64))
        noisy = perturbed.images
        if plain.dtype == torch.uint8:
            noisy = (noisy * 255).round().to(torch.uint8)
        result = noisy.reshape(plain.shape).as_subclass(type(image))
        return (result, *others) if others else result

    def extra_repr(self) -> str:
        """Parameters, for `repr`."""
        return f"{self.attack.spec!r}, snr_db={self.snr_db:g}, ruler={self.ruler!r}, fresh={self.fresh}"

    def _call(self) -> int:
        if not self.fresh:
            return 0
        self._calls += 1
        worker = get_worker_info()
        # Workers start from copies of this module at every epoch: their seeds alone tell epochs apart.
        return self._calls + (worker.seed if worker is not None else 0)
