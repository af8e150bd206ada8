"""Populations of networks trained as one program, and the experiments of a course on top of them.

Members of a population share an architecture, written in archcalc's notation, and differ in seed,
initialization, activation or rate. A thousand of them, three layers deep, learn the absolute value:

>>> import torch
>>> from training.engine import losses
>>> from training.engine.cohort import Cohort, Member
>>> from training.engine.models import Mlp
>>> from training.engine.updates import Adam
>>> model = Mlp.read("1x1x1 (fc-8 relu) x2 fc-1")
>>> members = [Member(number, initializer="he", rate=1e-2) for number in range(1000)]
>>> cohort = Cohort.born(model, members, seed=0, loss=losses.mse, rule=Adam())
>>> x = torch.linspace(-1, 1, 64).view(1, 64, 1)  # (members or 1, batch, inputs)
>>> for _ in range(200):
...     loss = cohort.advance(x, x.abs())  # one number a member
>>> loss.shape, bool(loss.median() < 0.01)
(torch.Size([1000]), True)

An experiment, its record, its tables and its figures:

>>> from training.experiments import runner
>>> from training.experiments.perceptron.experiment import Perceptron
>>> record = runner.run(Perceptron(sets=100), folder)  # doctest: +SKIP
>>> runner.results(record)["results"]  # doctest: +SKIP
"""
