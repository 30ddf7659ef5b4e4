"""Small PyTorch networks of the kinds that people train: each with an input of a batch of one."""

from collections.abc import Callable
from typing import Any

NAMES = (
    "autoencoder",
    "unet",
    "resnet_autoencoder",
    "vae_mean",
    "masked_transformer",
    "lstm",
    "gru",
    "transposed_decoder",
    "group_norm",
    "mixer",
    "depthwise_shuffle",
    "instance_norm",
    "elman",
)


def network(name: str) -> tuple[Any, Any]:
    """The module of this name in evaluation mode, and an input for it."""
    import torch
    from torch import nn

    torch.manual_seed(sum(map(ord, name)))
    functional = torch.nn.functional

    class Net(nn.Module):
        """A module with parts by name, and a function of these and the input."""

        def __init__(self, run: Callable[[Any, Any], Any], **parts: Any) -> None:
            super().__init__()
            self.run = run
            for key, part in parts.items():
                setattr(self, key, part)

        def forward(self, x: Any) -> Any:
            return self.run(self, x)

    def block(size: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(size, size, 3, padding=1, bias=False),
            nn.BatchNorm2d(size),
            nn.ReLU(),
            nn.Conv2d(size, size, 3, padding=1),
            nn.BatchNorm2d(size),
        )

    picture = torch.randn(1, 2, 8, 8)
    if name == "autoencoder":
        module = nn.Sequential(
            nn.Flatten(), nn.Linear(128, 20), nn.SiLU(), nn.Linear(20, 128), nn.Unflatten(1, (2, 8, 8))
        )
    elif name == "unet":

        def unet(self: Any, x: Any) -> Any:
            first = functional.gelu(self.down(x))
            second = functional.gelu(self.deeper(functional.max_pool2d(first, 2)))
            up = functional.interpolate(second, scale_factor=2, mode="bilinear", align_corners=False)
            return self.out(torch.cat([up, first], dim=1))

        module = Net(
            unet, down=nn.Conv2d(2, 4, 3, padding=1), deeper=nn.Conv2d(4, 6, 3, padding=1), out=nn.Conv2d(10, 2, 1)
        )
    elif name == "resnet_autoencoder":

        def residual(self: Any, x: Any) -> Any:
            z = self.enter(x)
            z = functional.relu(z + self.one(z))
            z = functional.interpolate(functional.relu(z + self.two(z)), scale_factor=2.0, mode="nearest")
            return torch.sigmoid(self.leave(z))

        module = Net(
            residual,
            enter=nn.Conv2d(2, 4, 3, stride=2, padding=1),
            one=block(4),
            two=block(4),
            leave=nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        )
    elif name == "vae_mean":

        def mean_path(self: Any, x: Any) -> Any:
            mean, _ = self.encoder(x.flatten(1)).chunk(2, dim=1)
            return self.decoder(mean).view_as(x)

        module = Net(
            mean_path,
            encoder=nn.Sequential(nn.Linear(128, 24), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(24, 12)),
            decoder=nn.Sequential(nn.Linear(6, 24), nn.ELU(), nn.Linear(24, 128), nn.Hardsigmoid()),
        )
    elif name == "masked_transformer":
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=True)

        def transformer(self: Any, x: Any) -> Any:
            patches = functional.unfold(x, 4, stride=4).transpose(1, 2)
            tokens = self.embed(patches) + self.places
            seen = tokens[:, [0, 2, 3]]
            coded = self.layers(seen)
            whole = torch.cat([coded[:, :1], self.blank.expand(x.shape[0], 1, -1), coded[:, 1:]], dim=1)
            return functional.fold(self.out(whole).transpose(1, 2), (8, 8), 4, stride=4)

        module = Net(
            transformer,
            embed=nn.Linear(32, 16),
            places=nn.Parameter(torch.randn(1, 4, 16)),
            blank=nn.Parameter(torch.randn(1, 1, 16)),
            layers=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            out=nn.Linear(16, 32),
        )
    elif name in ("lstm", "gru", "elman"):
        picture = torch.randn(1, 5, 6)
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}[name]
        module = Net(
            lambda self, x: self.norm(x + self.out(self.layers(x)[0])),
            layers=kind(6, 7, num_layers=2 if name == "lstm" else 1, batch_first=True, bidirectional=name == "gru"),
            out=nn.Linear(14 if name == "gru" else 7, 6),
            norm=nn.LayerNorm(6),
        )
    elif name == "transposed_decoder":
        module = nn.Sequential(
            nn.Conv2d(2, 4, 4, stride=2, padding=1),
            nn.Softplus(),
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
            nn.Mish(),
            nn.ConvTranspose2d(6, 2, 3, dilation=2, padding=2),
            nn.Tanh(),
        )
    elif name == "group_norm":
        module = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.GroupNorm(3, 6),
            nn.Hardswish(),
            nn.AvgPool2d(3, stride=1, padding=1),
            nn.Conv2d(6, 2, 5, padding=2),
        )
    elif name == "mixer":

        def mixer(self: Any, x: Any) -> Any:
            rows = x.reshape(1, 8, 16)
            rows = rows + self.across(self.first(rows).transpose(1, 2)).transpose(1, 2)
            rows = rows + self.along(self.second(rows))
            return (rows * torch.softmax(self.gate(rows), dim=-1) * 16).reshape(x.shape)

        module = Net(
            mixer,
            first=nn.LayerNorm(16),
            second=nn.RMSNorm(16),
            across=nn.Sequential(nn.Linear(8, 12), nn.GELU(approximate="tanh"), nn.Linear(12, 8)),
            along=nn.Sequential(nn.Linear(16, 12), nn.SELU(), nn.Linear(12, 16)),
            gate=nn.Linear(16, 16),
        )
    elif name == "depthwise_shuffle":
        module = nn.Sequential(
            nn.Conv2d(2, 8, 2, stride=2),
            nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 1),
            nn.PixelShuffle(2),
        )
    elif name == "instance_norm":
        module = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(2, 4, 3),
            nn.InstanceNorm2d(4, affine=True),
            nn.PReLU(4),
            nn.AdaptiveAvgPool2d(4),
            nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True),
            nn.Conv2d(4, 2, 1),
        )
    else:
        raise ValueError(name)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):  # as after training
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 1.5)
    return module.eval(), picture
