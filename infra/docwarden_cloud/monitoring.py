"""The project's rules and alert routing, as Amazon Managed Service for Prometheus takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """What ``make monitoring`` generates, whoever runs the Prometheus."""

    rules: str
    """Text of the rules file."""

    routing: Mapping[str, Any]
    """Alertmanager's configuration, with receivers of an installation that nobody owns."""

    def alert_manager(self, *, region: str, topics: Mapping[str, str]) -> str:
        """Definition for the workspace: the project's routes, ending in SNS topics.

        Args:
            region: Region of the topics; the service insists on it.
            topics: Name of a receiver to the ARN of its topic.

        Raises:
            KeyError: The routing has a receiver without a topic.
        """
        receivers = [
            {
                "name": receiver["name"],
                "sns_configs": [
                    {
                        "topic_arn": topics[receiver["name"]],
                        "sigv4": {"region": region},
                        # The default subject lists all labels and is too long for SNS.
                        "subject": "{{ .Status }}: {{ .CommonLabels.alertname }}",
                        "attributes": {"severity": "{{ .CommonLabels.severity }}"},
                    }
                ],
            }
            for receiver in self.routing["receivers"]
        ]
        configuration = _text({**self.routing, "receivers": receivers})
        return _text({"alertmanager_config": configuration})


def read_monitoring(folder: Path) -> Monitoring:
    """Read the generated files.

    Raises:
        FileNotFoundError: They have not been generated.
        ValueError: The rules file holds no groups.
    """
    rules, routing = folder / "rules.yaml", folder / "alertmanager.yaml"
    for path in (rules, routing):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; `make monitoring` generates it")
    text = rules.read_text(encoding="utf-8")
    if not yaml.safe_load(text).get("groups"):
        raise ValueError(f"{rules} holds no rule groups")
    return Monitoring(rules=text, routing=yaml.safe_load(routing.read_text(encoding="utf-8")))


def _text(value: Any) -> str:
    # ARNs are tokens until deployment; a folded line would tear one apart.
    return yaml.safe_dump(value, sort_keys=False, width=2**31)
