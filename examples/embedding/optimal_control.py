"""A pendulum is swung up by a plan that CasADi makes with a network for its model.

The network learns from random experiments how a step of time changes the angle and its speed. As a C header, with its
Jacobian, it becomes an external function of CasADi (casadi_external.c), and IPOPT plans through it: the least torque
that brings the pendulum from hanging to standing. The torque is too weak to do so at once, so the plan swings it to and
fro. In the end the real pendulum gets the planned torques. Needs casadi (pip install casadi) and a C compiler.
"""

import subprocess
import tempfile
from pathlib import Path

import casadi
import numpy as np

import fastbp

STEP, STEPS, TORQUE = 0.1, 40, 3.0


def pendulum(state, torque):
    """The state after a step: angle 0 hangs, pi stands."""
    angle, speed = state[..., 0], state[..., 1]
    for _ in range(20):
        speed = speed + STEP / 20 * (torque - 5 * np.sin(angle) - 0.1 * speed)
        angle = angle + STEP / 20 * speed
    return np.stack([angle, speed], axis=-1)


# The model: from sine and cosine of the angle, speed and torque to the change of angle and speed.
rng = np.random.default_rng(0)
states = rng.uniform([-4, -8], [7, 8], (4000, 2))
torques = rng.uniform(-TORQUE, TORQUE, 4000)
X = np.column_stack([np.sin(states[:, 0]), np.cos(states[:, 0]), states[:, 1] / 8, torques / TORQUE])
T = pendulum(states, torques) - states
net = fastbp.Network([4, 32, 32, 2], "tanh", "identity", seed=0)
adam = fastbp.Adam(learning_rate=0.003)
history = net.fit(X, T, epochs=300, batch_size=32, optimizer=adam, schedule="cosine", seed=0)
print(f"RMS error of the model {history.rms[-1]:.4f}")

with tempfile.TemporaryDirectory() as directory:
    net.to_c(Path(directory, "model.h"), jacobian=True)
    library = Path(directory, "libmodel.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-include", Path(directory, "model.h"), "-DNETWORK=model",
                    Path(__file__).with_name("casadi_external.c"), "-o", library], check=True)
    model = casadi.external("model", str(library))
    assert np.allclose(model(X[0]).full().ravel(), net.predict(X[0]), rtol=1e-12)
    x = casadi.MX.sym("x", 4)
    derivatives = casadi.Function("derivatives", [x], [casadi.jacobian(model(x), x)])
    difference = abs(derivatives(X[0]).full() - net.jacobian(X[0])).max()
    print(f"largest difference of the Jacobian from fastbp's {difference:.0e}")

    plan = casadi.Opti()
    s, u = plan.variable(2, STEPS + 1), plan.variable(1, STEPS)
    plan.minimize(casadi.sumsqr(u))
    for k in range(STEPS):
        inputs = casadi.vertcat(casadi.sin(s[0, k]), casadi.cos(s[0, k]), s[1, k] / 8, u[k] / TORQUE)
        plan.subject_to(s[:, k + 1] == s[:, k] + model(inputs))
    plan.subject_to(plan.bounded(-TORQUE, u, TORQUE))
    plan.subject_to(s[:, 0] == casadi.DM([0, 0]))
    plan.subject_to(s[:, STEPS] == casadi.DM([np.pi, 0]))
    plan.set_initial(s[0, :], np.linspace(0, np.pi, STEPS + 1))
    # Of an external function CasADi knows first derivatives only.
    plan.solver("ipopt", {"print_time": False}, {"hessian_approximation": "limited-memory", "max_iter": 1000,
                                                 "print_level": 0, "sb": "yes"})
    torques = plan.solve().value(u)

state = np.zeros(2)
for torque in torques:
    state = pendulum(state, torque)
print(f"largest torque {abs(torques).max():.2f}; the real pendulum ends {abs(state[0] - np.pi):.3f} from standing, "
      f"at the speed {abs(state[1]):.3f}")
