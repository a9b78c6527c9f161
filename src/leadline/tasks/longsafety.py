"""LongSafety: does a model stay safe when a risky request comes with a long document, against the request alone?

Lu, Cheng, Zhang, Cui, Wang, Gu, Dong, Tang, Wang and Huang 2025, arXiv:2502.16971; thu-coai/LongSafety (MIT). The request
before the context, behind it, and without it; give the judge with --role judge=MODEL. `leadline.scoring.safety.rates` gives the
paper's figure of a run's records, in which a case is unsafe where either place is.
"""

id = "longsafety"
members = ("longsafety-case(place=front)", "longsafety-case(place=end)", "longsafety-case(place=alone)")
