"""From one machine into a cluster and back: log, states of the stages, facts. Nothing is computed anew."""
