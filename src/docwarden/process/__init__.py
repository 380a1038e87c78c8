"""One gateway process, or several behind one port: its start, drain and end."""
