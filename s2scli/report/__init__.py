"""Output for people and machines: console, heatmap, JSON, HTML, SVG."""
