"""What every package uses: errors, atomic files, memory, devices, torchvision's operators."""
