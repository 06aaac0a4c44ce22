"""Sends images over the link, and classifies what arrives: bit error rate and accuracy of the same transmissions."""

from .sending import open_inputs, send_images
from .transmission_settings import TransmissionSettings
from .transmission_summary import summary

__all__ = ["TransmissionSettings", "open_inputs", "send_images", "summary"]
