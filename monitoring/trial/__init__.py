"""Real processes for the tests: gateway, simulator, Prometheus, Alertmanager, clients."""
