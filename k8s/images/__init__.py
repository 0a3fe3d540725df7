"""The images of a cluster: made from this machine's packages and our locks, without a daemon, and pushed to a registry.

``teamspark image build TEAM`` writes the Spark image and over it a layer of the team's jobs; ``--airflow`` writes what Airflow's
workers run in. ``spark``, ``team`` and ``airflow`` say what is in them, ``recipes`` what each is asked for by, ``parts`` with
``debian``, ``jre`` and ``classes`` how each layer is made, ``kept`` that it is made once, ``oci`` with ``blobs`` and ``trees`` how
layers become an archive. ``push`` puts one into a registry, ``registry`` is skopeo, ``places`` says where to. ``Dockerfile`` is
the Spark image for who has Docker.

Belongs here: what is in an image, the archive that it becomes, and its way into a registry. Does not: who may run which
(``k8s.render.admission``), and whose turn it is to.

Decisions:

* **A tag is a digest of the content**, so a node that has the name has the image. *Rejected*: versions, which somebody must count.
* **No times in an image**: byte code is known by its hash, and class-data archives fit wherever the image is unpacked.
* **Spark's jars behind one jar that names them**: Java expands ``jars/*`` in the order of the folder, which is another on every
  file system, and an archive of classes that was made in another order is ignored.
* **A thin archive for development**: without the layers below it, an import takes a tenth of a second instead of half a minute.
  Where the image below was not imported first, the import fails and leaves a name without an image.
* **Fixtures stay out**: they are data of tests.
* **skopeo pushes**: it knows the logins, certificates and proxies of a machine, and asks for each layer whether it is there.
  *Rejected*: the protocol in code of our own.
* **A push changes no byte**, so the digest of the build is the registry's, and what a team file pins. *Rejected*: compressing on
  the way, which gives another digest to the same content.
* **The thin archive first, the whole one where the registry lacks a layer**: after the first push a change of jobs sends
  kilobytes, and nobody has to say which it is.
* **Nowhere that the cluster would refuse**: ``images`` of the team file, ``airflow_images`` of the platform's, say where to.
* **Airflow's workers have the lock of Airflow's side, no Java, no pyspark, no job and no DAG file**: bundles bring DAG files, a
  pod of the team brings Spark. Their user is Spark's, 185; with a read-only root they want folders at ``/opt/airflow`` and ``/tmp``.

Limits: Java 17 links another `lib/modules` and dumps other class-data archives each time, so the layers ``java`` and ``classes`` of two
machines differ, in bytes only, and with them the digests of their Spark images; all other layers are the same wherever they are
made. Debian's main archive only, so fixes of its security archive come with the next point release; built for the processor of
this machine; a part is made again when what it is made from changes, not when Debian has a newer package.
"""
