# An image that runs the tests:
#   docker build -t attrax . && docker run --rm attrax
# Chromium is for the tests of the playground. Tests that need PyTorch are skipped.
# With the published data sets: docker run --rm -v /path/to/data:/data -e ATTRAX_DATA=/data attrax
# Another Python: docker build --build-arg PYTHON=3.13 -t attrax .
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium git make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /attrax

# The environment is a layer of its own: it is made again only if one of these files changes.
COPY pyproject.toml hatch_build.py constraints.txt Makefile README.md LICENSE THIRD_PARTY_NOTICES.md ./
COPY src/attrax/__init__.py src/attrax/__init__.py
RUN make setup

COPY . .
RUN touch .venv/.attrax
ENV JAX_PLATFORMS=cpu
CMD ["make", "test"]
