"""What the server makes of a video, off the request path: storyboard, waveform, loudness, an MP4.

`worker` claims and stores, in the server's process; `child` and what it imports runs in a process
of its own, with limits, because a decoder meets whatever anybody uploads. PyAV is imported in the
child only.
"""
