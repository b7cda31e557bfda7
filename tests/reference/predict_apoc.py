"""predict_apoc.py MODEL.cl IMAGE OUT.npy: the classes that APOC itself finds.

Needs apoc 0.12.0 and an OpenCL device; pocl on a processor will do:
    apt-get install pocl-opencl-icd && pip install apoc==0.12.0 pyopencl 'numpy<2' 'scikit-learn<1.6'
"""
import sys

import apoc
import numpy as np
from skimage.io import imread

model, image, out = sys.argv[1:]
np.save(out, np.asarray(apoc.PixelClassifier(model).predict(image=imread(image))).astype(np.uint32))
