"""The experiments of the KAN papers: ours beside theirs

    python run_experiments.py problems/papers.py --quick --resume      all of it in minutes
    python run_experiments.py problems/papers.py --seeds 3 --resume    all of it in full

Each chapter is a problem file of its own. What was interrupted goes on where it stopped, and results/papers.md
(papers-quick.md) is one page of all tables and figures. Liu et al., KAN, arXiv 2404.19756; KAN 2.0, arXiv 2408.10205.
"""

from kanpde import Chapter

PHYSICS = ("velocity_addition", "product_node", "lagrangian", "conserved", "schwarzschild", "neo_hookean")
PHYSICS += ("phase_transition", "two_moons", "unsupervised_toy", "singular_sqrt")

collection = [
    Chapter("Hello, KAN (KAN, 2.5)", "hello_kan.py", "exp(sin pi x + y^2) found by hand and pruning"),
    Chapter(
        "Function fitting and scaling (KAN, 2.3 and 3.1)",
        "toy_functions.py",
        "exp(sin pi x + y^2): 6.8e-3, 3.4e-4, 1.9e-5, 4.9e-7, 3.3e-8 at G = 5, 10, 20, 50, 100; the deep formula: 4.6e-3 to 5.1e-7",
    ),
    Chapter("Special functions (KAN, 3.2)", "special_functions.py", "best KAN of each row in the table"),
    Chapter("Feynman's formulas (KAN, 3.3)", "feynman.py", "lowest RMSE 1e-5 to 1e-3 of 27 formulas; no law recovered", only="!*-noise*"),
    Chapter(
        "Partial differential equations (KAN, 3.4)",
        ("poisson_paper.py", "poisson.py"),
        "L2 1e-4 to 1e-3, H1 1e-2 after 250 steps of L-BFGS",
    ),
    Chapter("Continual learning (KAN, 3.5)", "continual_learning.py", "[1, 1], G = 200: 4.0e-6 over the five peaks (recomputed)"),
    Chapter("Knot invariants (KAN, 4.3)", "knots.py", "KAN [17, 1, 14] 81.6 %, MLP of 3e5 parameters 78.0 %, on splits that share knots"),
    Chapter("Anderson localization (KAN, 4.4)", "anderson.py", "accuracy 99.0 % (GAAM), 97.7 % (MAAM); no exact edge for MAAM"),
    Chapter(
        "Physics (KAN 2.0)",
        [f"physics/{name}.py" for name in PHYSICS],
        "velocity addition 2.1e-6, Lagrangian 5.0e-5, conserved quantities 1e-4, Schwarzschild 1e-4, neo-Hookean P11 2.9e-11, phase "
        "transition 1e-1, two moons 99.8 %",
    ),
    Chapter("Beyond the papers", ("landscape.py", "anderson_3d.py"), "of Anderson's transition: Wc = 16.530(3), nu = 1.571(4)"),
]
