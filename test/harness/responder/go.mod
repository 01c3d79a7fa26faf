module hcloud-swarm/responder

go 1.24
