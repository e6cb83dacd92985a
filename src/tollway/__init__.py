"""Tollway turns an API into a business."""
