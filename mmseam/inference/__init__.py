"""Run trained detectors on images: sources, preprocessing, backends, results, drawing."""
