{{/* The ports are the image's own; nothing is gained by choosing others. */}}
{{- define "docwarden.ports" -}}
documents: 8080
admin: 8081
simulator: 3000
{{- end }}

{{- define "docwarden.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{- define "docwarden.fullname" -}}
{{- $name := include "docwarden.name" . }}
{{- $named := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- /* 63 is the limit of a DNS label; the longest suffix here takes 11. */ -}}
{{- regexReplaceAll "-+$" (.Values.fullnameOverride | default $named | trunc 52) "" }}
{{- end }}

{{/* Takes (list context component). */}}
{{- define "docwarden.selectorLabels" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ include "docwarden.name" $context }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Takes (list context component). */}}
{{- define "docwarden.labels" -}}
{{- $context := index . 0 -}}
{{ include "docwarden.selectorLabels" . }}
app.kubernetes.io/part-of: {{ $context.Chart.Name }}
app.kubernetes.io/version: {{ $context.Values.image.tag | default $context.Chart.AppVersion | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Takes (list context component suffix), and after these more labels: the metadata of an object. */}}
{{- define "docwarden.metadata" -}}
{{- $context := index . 0 -}}
name: {{ include "docwarden.fullname" $context }}{{ index . 2 }}
{{ include "docwarden.place" (concat (list $context (index . 1)) (slice . 3)) }}
{{- end }}

{{/* Takes (list context component), and after these more labels: metadata without the name. */}}
{{- define "docwarden.place" -}}
{{- $context := index . 0 -}}
namespace: {{ $context.Release.Namespace }}
labels:
  {{- include "docwarden.labels" (slice . 0 2) | nindent 2 }}
  {{- with merge dict (index (append . dict) 2) $context.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "docwarden.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "docwarden.serviceAccountName" -}}
{{- $made := ternary (include "docwarden.fullname" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $made }}
{{- end }}

{{- define "docwarden.upstreamUrl" -}}
{{- if .Values.simulator.enabled -}}
http://{{ include "docwarden.fullname" . }}-simulator:{{ (include "docwarden.ports" . | fromYaml).simulator }}/{id}
{{- else -}}
{{ .Values.upstream.url }}
{{- end }}
{{- end }}

{{/* The port that the upstream's address says, or its scheme's. */}}
{{- define "docwarden.upstreamPort" -}}
{{- $url := include "docwarden.upstreamUrl" . | urlParse }}
{{- $said := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $said | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

{{/* Whether the store's URL comes from a Secret: its name, or nothing. */}}
{{- define "docwarden.storeSecret" -}}
{{- if .Values.store.existingSecret -}}
{{ .Values.store.existingSecret }}
{{- else if .Values.store.url -}}
{{ include "docwarden.fullname" . }}-store
{{- end }}
{{- end }}

{{/* The port that the store's address says, or Redis's. Not by urlParse, whose errors show the password. */}}
{{- define "docwarden.storePort" -}}
{{- $host := .Values.store.url | default "" | regexFind "//[^/?#]*" | splitList "@" | last }}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | atoi | default 6379 }}
{{- end }}

{{/* Text of a scalar; numbers arrive as floats, and 33554432 must not become 3.3554432e+07. */}}
{{- define "docwarden.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* A quantity such as 250m, 0.5 or 512Mi in CPUs or bytes, to compare it with another. */}}
{{- define "docwarden.amount" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $unit := toString . | regexFind "[A-Za-z]*$" }}
{{- mulf (toString . | trimSuffix $unit | float64) (get $units $unit) }}
{{- end }}

{{/* A tag may have moved, so the registry is asked; a digest is what it is. */}}
{{- define "docwarden.pullPolicy" -}}
{{- .Values.image.pullPolicy | default (ternary "IfNotPresent" "Always" (not (empty .Values.image.digest))) }}
{{- end }}

{{/*
What the Deployment says of replicas, or nothing. A scaler takes the field over when it first changes
it. Until then it is Helm's, and to leave it out would set it to 1.
*/}}
{{- define "docwarden.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{ .Values.replicaCount }}
{{- else if .Values.autoscaling.handOver }}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "docwarden.fullname" .) }}
{{- $scaled := false }}
{{- range dig "metadata" "managedFields" list $live }}
{{- if and (eq (.subresource | default "") "scale") (dig "fieldsV1" "f:spec" "f:replicas" nil . | kindIs "map") }}
{{- $scaled = true }}
{{- end }}
{{- end }}
{{- if not $live -}}
{{ .Values.autoscaling.minReplicas }}
{{- else if not $scaled -}}
{{ int $live.spec.replicas }}
{{- end }}
{{- end }}
{{- end }}

{{/* What every pod says: where it may run; Pod Security "restricted", and more: no token, no service links. */}}
{{- define "docwarden.everyPod" -}}
serviceAccountName: {{ include "docwarden.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* What every container says: the one image, and Pod Security "restricted" again. */}}
{{- define "docwarden.everyContainer" -}}
image: {{ include "docwarden.image" . | quote }}
imagePullPolicy: {{ include "docwarden.pullPolicy" . }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  capabilities:
    drop:
      - ALL
  seccompProfile:
    type: RuntimeDefault
{{- end }}
