from pathlib import Path

import pulumi
from pulumi_hcloud_swarm import SwarmCluster

config = pulumi.Config()
# The key itself, encrypted in the stack's settings, where no file is: another machine, a CI job.
private_key = config.get_secret("privateKey")
if private_key is None:
    key_file = config.get("privateKeyFile") or Path.home() / ".ssh" / "id_ed25519"
    private_key = pulumi.Output.secret(Path(key_file).read_text())

cluster = SwarmCluster(
    "demo",
    ssh={"private_key": private_key},
    pools={
        "manager": {"role": "manager", "count": 1},
        "worker": {"role": "worker", "count": 2},
    },
    # Everything that is not named here is closed, but for SSH.
    policy={"published_ports": [{"port": 80}, {"port": 443}]},
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("swarmId", cluster.swarm_id)
pulumi.export("reports", cluster.reports)
pulumi.export("exposure", cluster.exposure)
pulumi.export("sshConfig", cluster.ssh_config)
pulumi.export("dockerContextCommand", cluster.docker_context_command)
