"""What people and machines read: console, heatmap, JSON, HTML, SVG."""
