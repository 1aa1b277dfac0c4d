"""The collector (eq. 18 to 23) as slow, plain Python: one rollout and one step at a time."""

import numpy as np


def reference_episode(histories, row, agent, world, *, horizon, limit):
    """The stored episode of one rollout that starts at `row` of the histories.

    `agent(observations)` gives the action after the whole list of observations since s_0;
    `world(state, action)` gives (next state, reward, penalised reward, terminated, over the
    threshold). Returns a dict of lists, one entry per stored row, and the rollout's length. An
    `observation` is what the agent saw at a row, or would have seen at the final one.
    """
    first = row
    while not histories.start[first]:
        first -= 1
    stored = {name: [] for name in ("action", "learned_reward", "terminated", "truncated", "real")}
    states = [np.asarray(histories.state[first])]
    observed_rewards = []
    for i in range(first, row):
        stored["action"].append(np.asarray(histories.action[i]))
        stored["learned_reward"].append(float(histories.next_reward[i]))
        stored["terminated"].append(bool(histories.next_terminated[i]))
        stored["truncated"].append(bool(histories.next_truncated[i]))
        stored["real"].append(True)
        observed_rewards.append(float(histories.next_reward[i]))
        states.append(np.asarray(histories.state[i + 1]))
    length, timestep = 0, row - first
    done = timestep > 0 and (stored["terminated"][-1] or stored["truncated"][-1])

    def observations():
        return [
            np.concatenate(
                [
                    state,
                    stored["action"][i - 1] if i else agent.first_action,
                    [observed_rewards[i - 1] if i else 0.0],
                ]
            )
            for i, state in enumerate(states)
        ]

    while not done:
        action = agent(observations())
        next_state, reward, penalised, terminated, crossed = world(states[-1], action)
        timestep, length = timestep + 1, length + 1
        truncated = timestep >= horizon or crossed or length >= limit
        stored["action"].append(action)
        stored["learned_reward"].append(penalised)
        stored["terminated"].append(terminated)
        stored["truncated"].append(truncated)
        stored["real"].append(False)
        observed_rewards.append(reward)
        states.append(next_state)
        done = terminated or truncated
    seen = observations()
    stored = {name: [*values, values[-1]] for name, values in stored.items()}
    stored["observation"] = seen
    stored["state"] = states
    stored["start"] = [i == 0 for i in range(len(states))]
    return stored, length
